"""Stage 'approximation/INDEX': what a model's recommendations lose when they come out of an index in Milvus."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.arrays import Ints
from pipeline.core.columns import ITEM_IDX, SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.evaluation.differences import Difference
from pipeline.evaluation.examples import EvaluationExamples
from pipeline.evaluation.index_loss import BLOCK, MEASURES, RevealedSessions, SearchSetting, means, measure_shares
from pipeline.indexes.registry import find_index, index_stage, list_indexes
from pipeline.metrics.bootstrap import interval, resample
from pipeline.metrics.ranking import CUTOFF, Ranks
from pipeline.models.contract import Encoder
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import index_type
from pipeline.search.engine import Engine
from pipeline.search.measure import recall
from pipeline.search.params import parse_params, validate_search
from pipeline.sessions import preprocess
from pipeline.store.stage import Done, Metrics, is_stale, run_stage
from pipeline.store.workspace import Workspace
from pipeline.training.train import load_encoder, stage_name

FOLDER = "approximation"


class ThroughIndexConfig(Options):
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
    workspace: Workspace, index: str, config: ThroughIndexConfig, engine: Engine, progress: Progress = silent
) -> Done:
    """Search the index for every example's vector: recall@20 and MRR@20 exactly and through it, and what is lost."""
    row = check(workspace, index)
    kind = index_type(row["index"])
    params = validate_search(kind, row["params"], parse_params(config.search), CUTOFF)

    def body(folder: Path, report: Progress) -> Metrics:
        encoder, catalogue = load_encoder(workspace, row["model"])
        examples = EvaluationExamples.of(preprocess.load_part(workspace, "test"), max_clicks=config.max_clicks)
        keys = catalogue[ITEM_IDX].to_numpy().astype(np.int64)
        engine.load(row["collection"])
        setting = SearchSetting(engine, row["collection"], params, keys)
        exact, through, found = _both(encoder, examples, setting, row["metric"], report)
        sessions = examples.table[SESSION_ID].rle_id().cast(pl.Int64).to_numpy()
        return {
            "model": row["model"],
            "search": params,
            "examples": len(exact),
            "exact": means(exact),
            "through": means(through),
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


def _both(
    encoder: Encoder, examples: EvaluationExamples, setting: SearchSetting, metric: str, progress: Progress
) -> tuple[Ranks, Ranks, float]:
    """Give each example's rank (n,) in the exact order and in the index's answer, and the index's own recall@20."""
    exact, through = np.empty(len(examples.targets)), np.empty(len(examples.targets))
    recalls = []
    for low in range(0, len(exact), BLOCK):
        progress(low, len(exact), "searching the index")
        rows = slice(low, min(low + BLOCK, len(exact)))
        queries = encoder.encode(examples.histories.take(rows))
        sessions = RevealedSessions(encoder.vectors, queries, examples.targets[rows])
        exact[rows] = sessions.exact_ranks()
        found = sessions.found(setting)
        through[rows] = sessions.ranks_in(found, setting.keys)
        recalls.append(recall(setting.keys, encoder.vectors, queries, found, metric) * len(queries))
    return exact, through, float(sum(recalls) / len(exact))


def _lost(exact: Ranks, through: Ranks, sessions: Ints) -> dict[str, Difference]:
    """Give how much less the index finds, with its interval; below zero where a wrong neighbour was the right item."""
    apart = measure_shares(exact) - measure_shares(through)
    drawn = resample(apart, sessions)
    return {
        name: Difference(round(float(apart[:, i].mean(dtype=np.float64)), 6), *interval(drawn[:, i]))
        for i, name in enumerate(MEASURES)
    }
