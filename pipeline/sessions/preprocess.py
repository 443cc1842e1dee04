"""Stage 'data': clicks -> training and test sessions, with items and categories as numbers, by Polars or by NVTabular.

train/, test/     part_0.parquet: item_idx, category_idx, session_id, timestamp; schema.pbtxt, as Merlin reads it
sequences/        train.parquet, test.parquet: a row a session, its clicks as lists
items.parquet     the items seen in training, by item_idx, with all that is known of them
days.parquet      day, part, sessions: how many ended on each day (UTC)
workflow/         NVTabular's own, where it was the engine
"""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.clicks.ingest import STAGE as CLICKS
from pipeline.clicks.ingest import load_clicks, load_items
from pipeline.core.checks import one_of
from pipeline.core.columns import CATEGORY, CATEGORY_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP, TRAIN_CLICKS
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.sessions.categories import cleaned
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.dropping import CODE
from pipeline.sessions.engines import by_nvtabular, by_polars
from pipeline.sessions.schema import write_schema
from pipeline.sessions.splitting import PARTS, ClickSplit, split_clicks
from pipeline.sessions.vocabulary import Vocabulary
from pipeline.store.parquet import write_tables
from pipeline.store.stage import Done, Metrics, need, run_stage
from pipeline.store.workspace import Workspace

STAGE = "data"
SEQUENCES = "sequences"
ENGINES = {"polars": by_polars.write, "nvtabular": by_nvtabular.write}
ENGINE = "polars"  # the default
WAY = "run `preprocess`, or press 'Preprocess' on the Data page."
_HELD = 2_000_000  # clicks that a pass over all of them holds at once, about


def preprocess(
    workspace: Workspace,
    config: PreprocessConfig,
    progress: Progress = silent,
    engine: str = ENGINE,
    scheduler: str | None = None,
) -> Done:
    """Split the sessions by time, number items and categories by the training part, and write both parts.

    The engine is no part of the stage's key: what one writes, the other writes too, row for row. Raises UserError for
    an engine that is not known and for a boundary that leaves nothing. `scheduler` is the address of a Dask cluster
    that NVTabular is to use.
    """
    write: Any = ENGINES[one_of(engine, ENGINES, "engine")]
    if scheduler is not None:
        if engine != "nvtabular":
            raise UserError(f"--scheduler {scheduler} is for NVTabular: add --engine nvtabular, or leave it out.")
        write = partial(write, scheduler=scheduler)

    def body(folder: Path, report: Progress) -> Metrics:
        report(0, 4, "dropping what is asked for, splitting by time")
        items, note = cleaned(load_items(workspace), config)
        found = split_clicks(load_clicks(workspace), items, config)
        vocabulary = Vocabulary.of(items, found.items("train"))
        report(1, 4, f"writing both parts by {engine}")
        write(folder, found, vocabulary, items)
        report(3, 4, "writing sequences and the catalogue")
        (folder / SEQUENCES).mkdir()
        for part in PARTS:
            write_schema(folder / part, vocabulary)
            write_tables(folder / SEQUENCES / f"{part}.parquet", _sequences(found, part, vocabulary))
        known = catalogue(vocabulary, items)
        known.write_parquet(folder / "items.parquet")
        vocabulary.categories.write_parquet(folder / "categories.parquet")
        _days(found).write_parquet(folder / "days.parquet")
        return {
            "boundary": found.boundary.isoformat(),
            **{f"{part}_sessions": int(found.of(part).sum()) for part in PARTS},
            **{f"{part}_clicks": int(found.kept.lengths[found.of(part)].sum()) for part in PARTS},
            "items": known.height,
            "engine": engine,
            "steps": [asdict(step) for step in found.steps],
            "notes": [note] if note else [],
        }

    packages = ("nvtabular", "merlin-core", "polars") if engine == "nvtabular" else ("polars",)
    return run_stage(workspace, STAGE, config, body, inputs=[CLICKS], packages=packages, progress=progress)


def catalogue(vocabulary: Vocabulary, items: pl.DataFrame) -> pl.DataFrame:
    """List the items seen in training: item_idx, category_idx, clicks in training, and all that is known of them."""
    numbers = vocabulary.categories.select(CATEGORY, CATEGORY_IDX)
    known = vocabulary.items.join(items, on=ITEM_ID, how="left").join(numbers, on=CATEGORY, how="left").sort(ITEM_IDX)
    return known.select(pl.exclude(TRAIN_CLICKS), TRAIN_CLICKS)


def _days(split: ClickSplit) -> pl.DataFrame:
    """Count the sessions of each part by the day on which they ended."""
    part = pl.Series("part", np.where(split.is_test, "test", "train"))
    ended = pl.DataFrame([split.kept.ends.dt.date().alias("day"), part])
    return ended.group_by("day", "part").len("sessions").sort("day", "part")


def _sequences(split: ClickSplit, part: str, vocabulary: Vocabulary) -> Iterator[pa.Table]:
    """Lay out a row a session: session_id, and the item_idx, category_idx and timestamp of its clicks as lists."""
    for clicks, lengths in split.slices(part):
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        codes = clicks[CODE].to_numpy()
        flat = {
            ITEM_IDX: pa.array(vocabulary.item_idx[codes]),
            CATEGORY_IDX: pa.array(vocabulary.category_idx[codes]),
            TIMESTAMP: clicks[TIMESTAMP].to_arrow(),
        }
        lists = {name: pa.LargeListArray.from_arrays(pa.array(offsets), values) for name, values in flat.items()}
        yield pa.table({SESSION_ID: clicks[SESSION_ID].gather(offsets[:-1]).to_arrow(), **lists})


def load_part(workspace: Workspace, part: str) -> pl.DataFrame:
    """Read 'train' or 'test': session_id, timestamp, item_idx, category_idx, sorted by session and time."""
    return _scan(workspace, part).collect()


def count_clicks(workspace: Workspace, part: str) -> int:
    """Count the clicks of 'train' or 'test'."""
    return int(_scan(workspace, part).select(pl.len()).collect().item())


def _scan(workspace: Workspace, part: str) -> pl.LazyFrame:
    need(workspace, STAGE, WAY)
    return pl.scan_parquet(workspace.stage(STAGE) / part / "*.parquet")


def part_slices(workspace: Workspace, part: str, clicks: int = _HELD) -> Iterator[pl.DataFrame]:
    """Read what `load_part` reads in whole sessions, about so many `clicks` at a time."""
    table, total, low, size = _scan(workspace, part), count_clicks(workspace, part), 0, clicks
    while low < total:
        some = table.slice(low, size).collect()
        if low + some.height < total:
            begins = (some[SESSION_ID] != some[SESSION_ID].shift(1)).fill_null(False).arg_true()
            if begins.is_empty():  # one session is longer
                size *= 2
                continue
            some = some.head(int(begins[-1]))
        yield some
        low, size = low + some.height, clicks


def load_catalogue(workspace: Workspace) -> pl.DataFrame:
    """Read the items seen in training, by item_idx."""
    need(workspace, STAGE, WAY)
    return pl.read_parquet(workspace.stage(STAGE) / "items.parquet")
