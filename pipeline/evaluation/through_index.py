"""Stage 'approximation/INDEX': what a model's recommendations lose when they come out of an index in Milvus."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.arrays import Ints
from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.core.stage import Done, Metrics, is_stale, run_stage
from pipeline.core.workspace import Workspace
from pipeline.evaluation.differences import Difference
from pipeline.evaluation.examples import Examples
from pipeline.indexes.registry import find_index, index_stage, list_indexes
from pipeline.metrics.bootstrap import interval, resample
from pipeline.metrics.ranking import CUTOFF, Ranked, Ranks, places, rank
from pipeline.models.contract import Encoder
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import index_type
from pipeline.search.engine import Engine
from pipeline.search.measure import recall
from pipeline.search.params import Values, parse_params, validate_search
from pipeline.sessions import preprocess
from pipeline.training.train import load_encoder, stage_name

FOLDER = "approximation"
MEASURES = (f"recall@{CUTOFF}", f"mrr@{CUTOFF}")
_BLOCK = 1000  # queries in a request


class ApproximationConfig(Options):
    """How the index is searched."""

    search: str = Field(default="", description="Search parameters, e.g. 'ef=120'; what is not named has its default.")
    max_clicks: int = Field(
        default=0,
        ge=0,
        le=10**9,
        description="Rank at most this many next clicks per session, from the first; 0 for all.",
    )


def approximation_stage(index: str) -> str:
    """Name the stage that holds what an index loses."""
    return f"{FOLDER}/{index}"


def check(workspace: Workspace, index: str) -> dict[str, Any]:
    """Find an index that holds all a model's items as they are; raise UserError for any other one."""
    row = find_index(workspace, index)
    if row["vectors"] != "items" or row["model"] not in KINDS:
        raise UserError(f"Index '{index}' does not hold the items of a model, so no next click is found in it.")
    if row["changed"] or row["stale"]:
        raise UserError(f"Index '{index}' holds other vectors than {row['model']} has now: build it again.")
    return row


def approximations(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Read what was measured of every index that still holds what it was measured with: {index: metrics}."""
    names = {row["name"]: approximation_stage(row["name"]) for row in list_indexes(workspace)}
    found = {name: workspace.manifest(stage) for name, stage in names.items() if not is_stale(workspace, stage)}
    return {name: manifest["metrics"] for name, manifest in found.items() if manifest}


def approximate(
    workspace: Workspace, index: str, config: ApproximationConfig, engine: Engine, progress: Progress = silent
) -> Done:
    """Search the index for every example's vector: recall@20 and MRR@20 exactly and through it, and what is lost."""
    row = check(workspace, index)
    kind = index_type(row["index"])
    params = validate_search(kind, row["params"], parse_params(config.search), CUTOFF)

    def body(folder: Path, report: Progress) -> Metrics:
        encoder, catalogue = load_encoder(workspace, row["model"])
        examples = Examples.of(preprocess.load_part(workspace, "test"), max_clicks=config.max_clicks)
        keys = catalogue[ITEM_IDX].to_numpy().astype(np.int64)
        engine.load(row["collection"])
        ask = _Index(engine, row["collection"], params, row["metric"])
        exact, through, found = _both(encoder, keys, examples, ask, report)
        sessions = examples.table[SESSION_ID].rle_id().cast(pl.Int64).to_numpy()
        return {
            "model": row["model"],
            "search": params,
            "examples": len(exact),
            "exact": _means(exact),
            "through": _means(through),
            "lost": {name: asdict(lost) for name, lost in _lost(exact, through, sessions).items()},
            f"index_recall@{CUTOFF}": round(found, 6),
        }

    inputs = [stage_name(row["model"]), preprocess.STAGE, index_stage(index)]
    return run_stage(
        workspace,
        approximation_stage(index),
        config,
        body,
        inputs=inputs,
        source=row["collection"],
        progress=progress,
    )


@dataclass(frozen=True)
class _Index:
    """A loaded collection and how it is searched."""

    engine: Engine
    collection: str
    params: Values
    metric: str


def _both(
    encoder: Encoder, keys: Ints, examples: Examples, index: _Index, progress: Progress
) -> tuple[Ranks, Ranks, float]:
    """Give each example's rank (n,) in the exact order and in the index's answer, and the index's own recall@20."""
    exact, through = np.empty(len(examples.targets)), np.empty(len(examples.targets))
    shares = []
    for low in range(0, len(exact), _BLOCK):
        progress(low, len(exact), "searching the index")
        rows = slice(low, min(low + _BLOCK, len(exact)))
        targets = examples.targets[rows]
        queries = encoder.encode(examples.histories.take(rows))
        exact[rows] = rank(queries @ encoder.vectors.T, targets)
        found = index.engine.search(index.collection, queries, min(CUTOFF, len(keys)), index.params).ids
        through[rows] = places(found, np.where(targets >= 0, targets + FIRST_IDX, -1))
        shares.append(recall(keys, encoder.vectors, queries, found, index.metric) * len(queries))
    return exact, through, float(sum(shares) / len(exact))


def _values(ranks: Ranks) -> Any:
    found = Ranked(ranks, np.zeros(len(ranks), np.float32), 0.0).measures()
    return np.stack([found[name] for name in MEASURES], axis=1)


def _means(ranks: Ranks) -> dict[str, float]:
    means = _values(ranks).mean(axis=0, dtype=np.float64)
    return {name: round(float(mean), 6) for name, mean in zip(MEASURES, means, strict=True)}


def _lost(exact: Ranks, through: Ranks, sessions: Ints) -> dict[str, Difference]:
    """Give how much less the index finds, with its interval; below zero where a wrong neighbour was the right item."""
    apart = _values(exact) - _values(through)
    means = resample(apart, sessions)
    return {
        name: Difference(round(float(apart[:, i].mean(dtype=np.float64)), 6), *interval(means[:, i]))
        for i, name in enumerate(MEASURES)
    }
