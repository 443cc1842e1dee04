"""What recommendations lose at the settings of a benchmark run, kept in the run's folder."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.bench import runs
from pipeline.core.arrays import Floats
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import percent
from pipeline.evaluation.index_loss import RevealedSessions, SearchSetting, means
from pipeline.metrics.ranking import CUTOFF
from pipeline.search.catalogue import MIN_INDEXED_ROWS, index_type
from pipeline.search.engine import Engine
from pipeline.search.params import raised, validate_build, validate_search
from pipeline.sessions import preprocess
from pipeline.sessions.histories import next_clicks
from pipeline.store.workspace import Workspace, read_json, write_json
from pipeline.training.train import load_encoder

QUALITY = "quality.json"  # in a run's folder
ON = ("index", "build", "search")
FIGURES = ("next_recall", "next_mrr", "exact_recall", "exact_mrr")
_METRIC = "IP"  # the models score by dot product
_MOST = 5000  # next clicks, drawn at random where there are more


def asked_of(workspace: Workspace, model: str) -> RevealedSessions:
    """Encode revealed test sessions, up to 5,000 drawn at random; UserError where no index could lose anything."""
    encoder, catalogue = load_encoder(workspace, model)
    if catalogue.height < MIN_INDEXED_ROWS:
        raise UserError(
            f"{model} has {catalogue.height:,} items, and Milvus builds no index under about {MIN_INDEXED_ROWS:,}: it "
            "compares with all of them, so no setting loses a recommendation. Train on clicks with more items."
        )
    histories, items, _ = next_clicks(preprocess.load_part(workspace, "test"))
    chosen = np.sort(np.random.default_rng(0).permutation(len(items))[:_MOST])
    targets = np.where(items[chosen] >= FIRST_IDX, items[chosen] - FIRST_IDX, -1)
    return RevealedSessions(encoder.vectors, encoder.encode(histories.take(chosen)), targets)


def measure_quality(
    engine: Engine, prefix: str, asked: RevealedSessions, settings: pl.DataFrame, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Ask through each of the settings (index, build, search), each build once: `ON` and `FIGURES` of each.

    A build whose parameters do not hold for these vectors is left out.
    """
    best, keys = means(asked.exact_ranks()), np.arange(len(asked.vectors))
    rows = []
    builds = settings.select(ON).unique(maintain_order=True).partition_by("index", "build", maintain_order=True)
    for n, group in enumerate(builds):
        index, build = group.row(0)[:2]
        kind = index_type(index)
        progress(n, len(builds), f"recommending through {index}")
        try:
            params = validate_build(kind, json.loads(build), asked.vectors.shape[1], len(asked.vectors))
        except UserError:
            continue
        with _built(engine, f"{prefix}quality_{uuid.uuid4().hex[:12]}", index, params, asked.vectors) as name:
            for search in group["search"]:
                chosen = validate_search(kind, params, raised(kind, json.loads(search), CUTOFF), CUTOFF)
                found = asked.found(SearchSetting(engine, name, chosen, keys))
                own = means(asked.ranks_in(found, keys))
                told = dict(zip(FIGURES, (*own.values(), *best.values()), strict=True))
                rows.append({"index": index, "build": build, "search": search} | told)
    return rows


@contextmanager
def _built(engine: Engine, name: str, index: str, params: Any, vectors: Floats) -> Iterator[str]:
    engine.create(name, vectors.shape[1], _METRIC)
    try:
        engine.insert(name, np.arange(len(vectors)), vectors, {})
        engine.build(name, index, params, _METRIC)
        engine.load(name)
        yield name
    finally:
        engine.drop(name)


def write_quality(workspace: Workspace, run: str, rows: list[dict[str, Any]]) -> None:
    """Write what was measured for a run's settings, in place of what was before."""
    write_json(_path(workspace, run), rows)


def read_quality(workspace: Workspace, run: str) -> pl.DataFrame:
    """Read what was measured for a run's settings: `ON` and `FIGURES`; empty where nothing was."""
    rows = read_json(_path(workspace, run)) or []
    return pl.DataFrame(rows, schema={name: pl.String for name in ON} | {name: pl.Float64 for name in FIGURES})


def with_quality(workspace: Workspace, settings: pl.DataFrame) -> pl.DataFrame:
    """Add FIGURES to settings of runs, null where nothing was measured."""
    parts = [read_quality(workspace, run).with_columns(pl.lit(run).alias("run")) for run in settings["run"].unique()]
    known = pl.concat([read_quality(workspace, "").with_columns(pl.lit("").alias("run")), *parts])
    return settings.join(known, on=["run", *ON], how="left")


def told(row: dict[str, Any]) -> str:
    """Say what recommendations lose at a setting, '' where that was not measured."""
    if row.get("next_recall") is None:
        return ""
    through, exactly = (percent(row[name], 1) for name in ("next_recall", "exact_recall"))
    found = f"{through} of next clicks are among {CUTOFF} suggestions, {exactly} with exact search"
    return f"With this setting, {found}; MRR@{CUTOFF} {row['next_mrr']:.3f}, {row['exact_mrr']:.3f} with exact search."


def _path(workspace: Workspace, run: str) -> Path:
    return workspace.root / runs.FOLDER / run / QUALITY
