"""Stage 'evaluation/NAME': how well a model recommends the next click of sessions that it has never seen.

examples.parquet    each example: session_id, clicks revealed, item_idx of the next click, its rank (null: never found)
resamples.parquet   each measure's mean in 1,000 resamples of the sessions, the same ones for every model
slices.parquet      the measures by session length and by item popularity
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.columns import SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.evaluation.examples import EvaluationExamples, Longest, sample_note
from pipeline.evaluation.slices import slices
from pipeline.metrics.bootstrap import interval, resample
from pipeline.metrics.ranking import MISS, Ranked, rank_all
from pipeline.sessions import preprocess
from pipeline.store.stage import Done, Metrics, is_stale, run_stage
from pipeline.store.workspace import Workspace
from pipeline.training.archive import keep_figures
from pipeline.training.train import load_model, stage_name, trained

LONGEST = "longest_sessions"  # in a manifest's metrics
SAMPLED = "sampled_of"
EXAMPLES, RESAMPLES, SLICES = "examples.parquet", "resamples.parquet", "slices.parquet"


class EvaluateConfig(Options):
    """Evaluation is fixed but for two things, so that figures can be compared."""

    exclude_seen: bool = Field(
        default=False,
        description="Recommend nothing that the session has clicked, and leave out the examples that click it again.",
    )
    max_clicks: int = Field(
        default=0,
        ge=0,
        le=10**9,
        description="Rank at most this many next clicks per session, from the first; 0 for all.",
    )


ALL_CLICKS = EvaluateConfig()


def evaluation_stage(model: str, config: EvaluateConfig = ALL_CLICKS) -> str:
    """Name the stage that holds a model's figures."""
    return f"{_folder(config)}/{model}"


def _folder(config: EvaluateConfig) -> str:
    bound = f"-first{config.max_clicks}" if config.max_clicks else ""
    return f"evaluation{'-unseen' if config.exclude_seen else ''}{bound}"


def evaluate(
    workspace: Workspace,
    model: str,
    progress: Progress = silent,
    config: EvaluateConfig = ALL_CLICKS,
) -> Done:
    """Reveal each test session click by click and rank its next click over the catalogue of training."""

    def body(folder: Path, report: Progress) -> Metrics:
        loaded, catalogue = load_model(workspace, model)
        if is_stale(workspace, stage_name(model)):
            raise UserError(f"{model} was trained on sessions that are no longer these: run `train --model {model}`.")
        examples = EvaluationExamples.of(
            preprocess.load_part(workspace, "test"), config.exclude_seen, config.max_clicks
        )
        if not len(examples.targets):
            raise UserError("No next click is left to rank: evaluate without --exclude-seen, or split at another time.")
        clicks = catalogue["train_clicks"].fill_null(0).to_numpy()
        ranked = rank_all(
            lambda rows: examples.hide(loaded.score(examples.histories.take(rows)), rows),
            examples.targets,
            (clicks / max(1, clicks.max())).astype(np.float32),
            report,
        )
        return _write(folder, examples.table, catalogue, ranked) | {
            LONGEST: asdict(examples.longest()),
            SAMPLED: examples.sampled_of,
        }

    inputs = [stage_name(model), preprocess.STAGE]
    done = run_stage(
        workspace, evaluation_stage(model, config), config, body, inputs=inputs, progress=progress, revision=3
    )
    if config == ALL_CLICKS:
        keep_figures(workspace, stage_name(model), _figures(done.manifest))
    return done


def _write(folder: Path, table: pl.DataFrame, catalogue: pl.DataFrame, ranked: Ranked) -> Metrics:
    """Write ranks, resamples and slices; give the figures with their intervals."""
    sessions = table[SESSION_ID].rle_id().cast(pl.Int64)
    measures = pl.DataFrame(ranked.measures())
    found = np.where(ranked.ranks < MISS, ranked.ranks, 0)
    table.with_columns(pl.Series("rank", found, pl.Float32).replace(0, None)).write_parquet(folder / EXAMPLES)
    means = resample(measures.to_numpy(), sessions.to_numpy())
    pl.DataFrame(means, schema=measures.columns).write_parquet(folder / RESAMPLES)
    slices(table, catalogue, measures, sessions).write_parquet(folder / SLICES)
    bounds = {name: interval(means[:, i]) for i, name in enumerate(measures.columns)}
    return ranked.figures() | {"sessions": int(sessions[-1]) + 1, "intervals": bounds}


def current(workspace: Workspace) -> list[str]:
    """List the models that are trained on the sessions as they are now."""
    return [name for name in trained(workspace) if not is_stale(workspace, stage_name(name))]


def evaluations(workspace: Workspace, config: EvaluateConfig = ALL_CLICKS) -> dict[str, dict[str, float]]:
    """Read the figures of every model measured as it is now, on the sessions as they are: {name: {measure: value}}."""
    return {name: _figures(found) for name, found in _measured(workspace, config).items()}


def _figures(manifest: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in manifest["metrics"].items() if name not in ("intervals", LONGEST, SAMPLED)}


def longest_sessions(workspace: Workspace, config: EvaluateConfig = ALL_CLICKS) -> Longest | None:
    """Read what the longest sessions contribute to the examples, alike for all models; None before any is measured."""
    found = next(iter(_measured(workspace, config).values()), None)
    return Longest(**found["metrics"][LONGEST]) if found else None


def sampled(workspace: Workspace, config: EvaluateConfig = ALL_CLICKS) -> str:
    """Say that figures are of a sample of the test sessions, '' where they are of all."""
    found = next(iter(_measured(workspace, config).values()), None)
    return sample_note(int(found["metrics"].get(SAMPLED, 0))) if found else ""


def intervals(
    workspace: Workspace,
    config: EvaluateConfig = ALL_CLICKS,
) -> dict[str, dict[str, tuple[float, float]]]:
    """Read the 95 % intervals of the same models; none of coverage@20, a count of items that no resample keeps."""
    return {name: found["metrics"]["intervals"] for name, found in _measured(workspace, config).items()}


def _measured(workspace: Workspace, config: EvaluateConfig) -> dict[str, dict[str, Any]]:
    fresh = [name for name in workspace.stages(_folder(config)) if not is_stale(workspace, name)]
    found = {name.split("/")[-1]: workspace.manifest(name) for name in fresh}
    return {name: manifest for name, manifest in found.items() if manifest and LONGEST in manifest["metrics"]}
