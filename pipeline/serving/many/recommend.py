"""Recommend for every session of a log: in blocks, each kept until the file is whole, so that a run goes on.

OUT.parts/plan.json   what is answered, and with what: parts of another plan are thrown away
OUT.parts/N.parquet   answers of some thousand sessions; the file is put together of them, and they vanish
"""

import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.clicks.source import ClickSource, read_log, source_digest
from pipeline.core.columns import FIRST_IDX, ID, ITEM_ID, ITEM_IDX, RANK, SCORE, SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.search.engine import Database
from pipeline.serving.many.plan import ManyPlan
from pipeline.serving.many.sessions import Names, SessionLog
from pipeline.store.outputs import check_target, written
from pipeline.store.workspace import disk_trouble, read_json, write_json

FORMS = (".parquet", ".csv")
_PART = 10_000  # sessions whose answers are held, and written at once
_DECIMALS = 6


def recommend_many(
    source: ClickSource,
    target: Path,
    plan: ManyPlan,
    engine: Database,
    progress: Progress = silent,
    force: bool = False,
) -> dict[str, Any]:
    """Write session_id, rank, item_id and score of the best items for each session of a log; give what was done.

    A session without a click on an item of training gets none, and is counted. A run that was cut off goes on with the
    next part. Raises UserError for what cannot be read, answered or written.
    """
    check_target(target, force, FORMS)
    progress(0, 1, f"reading {source.clicks}")
    clicks, notes = read_log(source)
    names = _names(plan, engine)
    log = SessionLog.of(clicks, names)
    del clicks
    began = time.monotonic()
    with _parts(target, f"{source_digest(source)} {plan.key}") as folder:
        kept = _answer_all(folder, plan, engine, log, names, progress)
        sessions, rows = _put_together(folder, target)
    seconds = max(time.monotonic() - began, 1e-3)
    return {
        "file": str(target),
        "sessions": len(log),
        "answered": sessions,
        "unknown": len(log) - sessions,
        "rows": rows,
        "model": plan.index["model"],
        "index": plan.index["name"],
        "ranker": plan.ranker,
        "seconds": round(seconds, 2),
        "sessions_per_s": round((len(log) - kept) / seconds),
        "kept": kept,
        "notes": notes,
    }


def _names(plan: ManyPlan, engine: Database) -> Names:
    """Give the items that the index answers with: of the catalogue, or of its rows where some were changed since."""
    if not plan.index["changed"]:
        return Names.of(plan.known.catalogue[ITEM_IDX].to_numpy(), plan.known.catalogue[ITEM_ID])
    rows = engine.rows(plan.index["collection"], f"{ID} >= 0", [ID, ITEM_ID])
    return Names.of(np.array([row[ID] for row in rows], np.int64), pl.Series([str(row[ITEM_ID]) for row in rows]))


@contextmanager
def _parts(target: Path, key: str) -> Iterator[Path]:
    """Give the folder of the parts of a plan; it vanishes when the block ends well, and is kept when it does not."""
    folder = target.with_name(f"{target.name}.parts")
    told = {"plan": hashlib.sha256(key.encode()).hexdigest()}
    try:
        if read_json(folder / "plan.json") != told:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            write_json(folder / "plan.json", told)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    except Exception as error:
        reason = disk_trouble(error)
        if reason is None:
            raise
        raise UserError(
            f"{folder} could not be written ({reason}): free disk space, and the same command goes on."
        ) from error


def _answer_all(
    folder: Path, plan: ManyPlan, engine: Database, log: SessionLog, names: Names, progress: Progress
) -> int:
    """Write the parts that are not there yet; give how many sessions those had that were."""
    answering, kept = plan.answering(engine), 0
    for number, low in enumerate(range(0, len(log), _PART)):
        high, path = min(low + _PART, len(log)), folder / f"{number:06}.parquet"
        if path.exists():
            kept += high - low
            continue
        frames = [_frame(log.sessions[:0], names, np.zeros((0, 1), np.int64), np.zeros((0, 1), np.float32))]
        done = low
        for block, asked in log.blocks(low, high, answering.block, FIRST_IDX, FIRST_IDX + len(plan.known.rows)):
            frames.append(_frame(block.sessions, names, *answering.answer(block.requests)))
            done += asked
            progress(done, len(log), f"{done:,} of {len(log):,} sessions")
        beside = path.with_suffix(".tmp")
        pl.concat(frames).write_parquet(beside)
        beside.rename(path)
    return kept


def _frame(sessions: pl.Series, names: Names, keys: np.ndarray, scores: np.ndarray) -> pl.DataFrame:  # type: ignore[type-arg]
    """Lay out (n, k) keys as rows, without the places that are empty."""
    n, k = keys.shape
    there = keys.ravel() >= 0
    items = names.of_keys(keys.ravel()[there])
    if items.null_count():
        raise UserError("The index was changed while it was asked: run the same command again.")
    rows = pl.Series(np.repeat(np.arange(n), k)[there])
    return pl.DataFrame(
        {
            SESSION_ID: sessions.gather(rows),
            RANK: np.tile(np.arange(1, k + 1), n)[there],
            ITEM_ID: items,
            SCORE: np.round(scores.ravel()[there].astype(np.float64), _DECIMALS),
        }
    )


def _put_together(folder: Path, target: Path) -> tuple[int, int]:
    """Write the file of all parts, in the log's order; give its sessions and rows."""
    parts = pl.scan_parquet(sorted(folder.glob("*.parquet")))
    with written(target) as beside:
        if target.suffix == ".csv":
            parts.sink_csv(beside, float_precision=_DECIMALS)
        else:
            parts.sink_parquet(beside)
    counted = parts.select(pl.col(SESSION_ID).filter(pl.col(RANK) == 1).len(), pl.len().alias("rows")).collect()
    return int(counted[0, 0]), int(counted[0, 1])
