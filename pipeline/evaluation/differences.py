"""Models side by side: how much better one is than another on the same sessions, and whether that is chance."""

from dataclasses import dataclass

import polars as pl

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.evaluation.evaluate import RESAMPLES, EvaluateConfig, evaluation_stage, evaluations
from pipeline.metrics.bootstrap import interval
from pipeline.models.registry import baselines
from pipeline.store.workspace import Workspace

RANKED_BY = "mrr@20"


@dataclass(frozen=True)
class Difference:
    """How much greater a measure is than another model's, with its 95 % interval over the paired resamples."""

    difference: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Tell whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def best_baseline(figures: dict[str, dict[str, float]]) -> str | None:
    """Name the baseline with the highest MRR@20, or None where none is evaluated."""
    known = baselines()
    return max((name for name in figures if name in known), key=lambda name: figures[name][RANKED_BY], default=None)


def differences(workspace: Workspace, against: str, config: EvaluateConfig) -> dict[str, dict[str, Difference]]:
    """Compare every evaluated model with `against`: {name: {measure: Difference}}; UserError for an unknown one."""
    figures = evaluations(workspace, config)
    if against not in figures:
        known = ", ".join(figures) or "none yet"
        raise UserError(f"'{against}' is not evaluated: evaluated are {known}.{did_you_mean(against, figures)}")
    means = {name: _means(workspace, name, config) for name in figures}
    other = means[against]
    return {
        name: {
            measure: Difference(
                round(figures[name][measure] - figures[against][measure], 6),
                *interval((means[name][measure] - other[measure]).to_numpy()),
            )
            for measure in other.columns
        }
        for name in figures
        if name != against
    }


def _means(workspace: Workspace, model: str, config: EvaluateConfig) -> pl.DataFrame:
    return pl.read_parquet(workspace.stage(evaluation_stage(model, config)) / RESAMPLES)


def certain(workspace: Workspace, measure: str, config: EvaluateConfig) -> set[tuple[str, str]]:
    """Give the pairs (best, other) of the evaluated models whose difference in a measure is more than chance."""
    figures = evaluations(workspace, config)
    best = max(figures, key=lambda name: figures[name][measure], default=None)
    if best is None:
        return set()
    found = differences(workspace, best, config)
    return {(best, name) for name, measures in found.items() if measures[measure].certain}
