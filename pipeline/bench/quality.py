"""What recommendations lose at a setting: recall@20 and MRR@20 of the next click through the index and exactly.

An index that misses a neighbour loses a recommendation only where that neighbour was the next click, so recall of the
index and the loss of its recommendations are two figures.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.bench import runs
from pipeline.core.arrays import Floats, Ints, Rows
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import percent
from pipeline.core.workspace import Workspace, read_json, write_json
from pipeline.metrics.ranking import CUTOFF, MISS, places
from pipeline.search.catalogue import MIN_INDEXED_ROWS, index_type
from pipeline.search.engine import Engine
from pipeline.search.measure import exact
from pipeline.search.params import raised, validate_build, validate_search
from pipeline.sessions import preprocess
from pipeline.sessions.histories import next_clicks
from pipeline.training.train import load_encoder

QUALITY = "quality.json"  # in a run's folder
ON = ("index", "build", "search")
FIGURES = ("next_recall", "next_mrr", "exact_recall", "exact_mrr")
_METRIC = "IP"  # the models score by dot product
_MOST = 5000  # next clicks, drawn at random where there are more
_BLOCK = 1000  # queries in a request


@dataclass(frozen=True)
class Asked:
    """A model's items, and sessions whose next click is known."""

    vectors: Floats
    """(items, dim)."""
    queries: Floats
    """(n, dim), a session's clicks so far each."""
    targets: Ints
    """(n,) the row of the next click, -1 outside the catalogue."""


def asked_of(workspace: Workspace, model: str) -> Asked:
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
    return Asked(encoder.vectors, encoder.encode(histories.take(chosen)), targets)


def figures(found: Rows, targets: Ints) -> tuple[float, float]:
    """Give recall@k and MRR@k of neighbours (n, k), best first, for one target row each; -1 is never found."""
    ranks = places(found, targets)
    hit = ranks < MISS
    return round(float(hit.mean()), 6), round(float(np.where(hit, 1 / ranks, 0).mean()), 6)


def measure(
    engine: Engine, prefix: str, asked: Asked, settings: pl.DataFrame, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Ask through each of the settings (index, build, search), each build once: `ON` and `FIGURES` of each.

    A build whose parameters do not hold for these vectors is left out.
    """
    best = figures(exact(asked.vectors, asked.queries, CUTOFF, _METRIC), asked.targets)
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
                own = figures(_search(engine, name, asked.queries, chosen), asked.targets)
                told = dict(zip(FIGURES, (*own, *best), strict=True))
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


def _search(engine: Engine, name: str, queries: Floats, params: Any) -> Rows:
    blocks = [queries[low : low + _BLOCK] for low in range(0, len(queries), _BLOCK)]
    return np.concatenate([engine.search(name, block, CUTOFF, params).ids for block in blocks])


def keep(workspace: Workspace, run: str, rows: list[dict[str, Any]]) -> None:
    """Write what was measured for a run's settings, in place of what was before."""
    write_json(_path(workspace, run), rows)


def kept(workspace: Workspace, run: str) -> pl.DataFrame:
    """Read what was measured for a run's settings: `ON` and `FIGURES`; empty where nothing was."""
    rows = read_json(_path(workspace, run)) or []
    return pl.DataFrame(rows, schema={name: pl.String for name in ON} | {name: pl.Float64 for name in FIGURES})


def with_quality(workspace: Workspace, settings: pl.DataFrame) -> pl.DataFrame:
    """Add FIGURES to settings of runs, null where nothing was measured."""
    parts = [kept(workspace, run).with_columns(pl.lit(run).alias("run")) for run in settings["run"].unique()]
    known = pl.concat([kept(workspace, "").with_columns(pl.lit("").alias("run")), *parts])
    return settings.join(known, on=["run", *ON], how="left")


def told(row: dict[str, Any]) -> str:
    """Say what recommendations lose at a setting, '' where that was not measured."""
    if row.get("next_recall") is None:
        return ""
    through, exactly = (percent(row[name], 1) for name in ("next_recall", "exact_recall"))
    found = f"{through} of the next clicks are among {CUTOFF}, {exactly} exactly"
    return f"Recommended through it, {found}; MRR@{CUTOFF} {row['next_mrr']:.3f}, {row['exact_mrr']:.3f} exactly."


def _path(workspace: Workspace, run: str) -> Path:
    return workspace.root / runs.FOLDER / run / QUALITY
