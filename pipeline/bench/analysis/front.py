"""The Pareto front: the settings that no other one beats in recall and in a second figure at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.bench.analysis.settings import LOAD, STALE
from pipeline.core.arrays import Doubles

PLACE = "place"
FRONT, TIED, BEATEN = "front", "tied", "beaten"


@dataclass(frozen=True)
class Objective:
    """A figure that is wanted beside recall."""

    column: str
    title: str
    unit: str
    superlative: str
    more_is_better: bool = False


OBJECTIVES = {
    o.column: o
    for o in (
        Objective("qps", "queries a second", "QPS", "the fastest", more_is_better=True),
        Objective("p99_ms", "p99 of a request", "ms", "the quickest"),
        Objective("memory_mb", "memory of an instance", "MB", "the smallest"),
        Objective("usd_million", "cost of a million queries", "USD", "the cheapest"),
        Objective("usd_month", "cost of a month", "USD", "the cheapest"),
    )
}


def place(settings: pl.DataFrame, objective: str = "qps", by: tuple[str, ...] = LOAD) -> pl.DataFrame:
    """Add the column `place` to settings as `summarise` gives them, within each group of the same `by`.

    'front': no other has the same or more recall and is as good or better in `objective`, by the medians. 'tied':
    beaten by the medians only, while the spreads of both figures overlap, so that neither may be called worse.
    'beaten': the rest, what lacks the figure, and what is out of date, which beats nothing either.
    """
    parts = settings.partition_by(by, maintain_order=True)
    placed = [part.with_columns(pl.Series(PLACE, _places(part, OBJECTIVES[objective]))) for part in parts]
    return pl.concat(placed) if placed else settings.with_columns(pl.lit(None, pl.String).alias(PLACE))


def front(settings: pl.DataFrame, objective: str = "qps", by: tuple[str, ...] = LOAD) -> pl.DataFrame:
    """Keep the front of each group, by rising recall."""
    return place(settings, objective, by).filter(pl.col(PLACE) == FRONT).sort("recall")


def _places(group: pl.DataFrame, aim: Objective) -> npt.NDArray[np.str_]:
    recall, value = group["recall"].to_numpy(), _worth(group, aim, aim.column)
    ends = [_worth(group, aim, f"{aim.column}_{end}") for end in ("low", "high")]
    least, most = np.minimum(*ends), np.maximum(*ends)
    order = np.lexsort((-value, -recall))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(value[order])[:-1]])
    best = order[value[order] > before]
    dominates = (recall[best, None] >= recall) & (value[best, None] >= value)
    low, high = group["recall_low"].to_numpy(), group["recall_high"].to_numpy()
    surely = (least[best, None] > most) | (low[best, None] > high)
    places = np.where((dominates & surely).any(axis=0) | np.isinf(value), BEATEN, TIED)
    places[best] = FRONT
    return places


def _worth(group: pl.DataFrame, aim: Objective, column: str) -> Doubles:
    """Give a figure so that greater is better, -inf where it is not known; figures without a spread are their own."""
    known = group[column if column in group.columns else aim.column].cast(pl.Float64)
    signed = pl.select(pl.when(~group[STALE]).then(known if aim.more_is_better else -known)).to_series()
    return signed.fill_null(-np.inf).to_numpy()
