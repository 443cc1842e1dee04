"""Figures of parts of the examples: by how much of the session was known, and by how popular the next item is."""

import numpy as np
import polars as pl

from pipeline.core.columns import ITEM_IDX
from pipeline.evaluation.examples import CLICKS
from pipeline.metrics.bootstrap import interval, resample

LENGTH, POPULARITY = "session length", "item popularity"
_LENGTHS = {1: "1 click", 2: "2", 3: "3", 4: "4–5", 6: "6–9", 10: "10 or more"}  # from so many clicks on
_SHARES = {0.0: "top 5 %", 0.05: "5–20 %", 0.2: "20–50 %", 0.5: "the rest"}  # of the catalogue, most clicked first
_UNKNOWN = "not in training"


def slices(table: pl.DataFrame, catalogue: pl.DataFrame, measures: pl.DataFrame, sessions: pl.Series) -> pl.DataFrame:
    """Give slice, part, examples, measure, mean, low and high, parts in order.

    table: (n,) examples; catalogue: item_idx, train_clicks; measures: (n,) a column a measure; sessions: (n,).
    """
    place = pl.col("train_clicks").rank("ordinal", descending=True) - 1
    shares = catalogue.select(ITEM_IDX, (place / pl.len()).alias("_share"))
    share = table.select(ITEM_IDX).join(shares, on=ITEM_IDX, how="left", maintain_order="left")["_share"]
    by_length = _cut(table[CLICKS].to_numpy(), _LENGTHS)
    by_share = np.where(share.is_null(), len(_SHARES), _cut(share.fill_null(1.0).to_numpy(), _SHARES))
    parts = {LENGTH: (by_length, [*_LENGTHS.values()]), POPULARITY: (by_share, [*_SHARES.values(), _UNKNOWN])}
    values, numbers = measures.to_numpy(), sessions.to_numpy()
    return pl.concat(
        _part(name, label, measures.columns, values[chosen], numbers[chosen])
        for name, (codes, labels) in parts.items()
        for code, label in enumerate(labels)
        if (chosen := codes == code).any()
    )


def _cut(values: np.ndarray, starts: dict[float, str] | dict[int, str]) -> np.ndarray:
    return np.searchsorted(list(starts), values, side="right") - 1


def _part(name: str, label: str, columns: list[str], values: np.ndarray, sessions: np.ndarray) -> pl.DataFrame:
    means = resample(values, sessions)
    bounds = [interval(means[:, i]) for i in range(len(columns))]
    return pl.DataFrame(
        {
            "slice": name,
            "part": label,
            "examples": len(values),
            "measure": columns,
            "mean": values.mean(axis=0, dtype=np.float64).round(6),
            "low": [low for low, _ in bounds],
            "high": [high for _, high in bounds],
        }
    )
