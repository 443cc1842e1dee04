"""Features of sessions that the store does not know: read from the clicks that came with the request."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import FIRST_IDX
from pipeline.serving.features.tables import SESSION_FEATURES, SHARES, common_categories, prices
from pipeline.serving.stages.histories import Requests


def completed(found: Mapping[str, Floats], requests: Requests, catalogue: pl.DataFrame) -> dict[str, Floats]:
    """Give the features of sessions, from the store where it has them, else from their clicks; 'seconds' stays unknown.

    found: {feature: (n,)} float32, NaN where the store knows nothing.
    """
    complete = {name: np.array(found[name], np.float32) for name in SESSION_FEATURES}
    new = np.flatnonzero(np.isnan(complete["length"]))
    if len(new):
        price = catalogue.select(prices(catalogue).alias("price"))["price"].fill_null(float("nan")).to_numpy()
        category, common = catalogue["category_idx"].to_numpy(), common_categories(catalogue)
        for row in new:
            items = requests.values[requests.offsets[row] : requests.offsets[row + 1]]
            rows = items[(items >= FIRST_IDX) & (items < FIRST_IDX + len(price))] - FIRST_IDX
            _complete(complete, row, rows, price[rows], category[rows], common)
    return complete


def _complete(
    complete: dict[str, Floats], row: int, rows: Floats, price: Floats, category: Floats, common: list[int]
) -> None:
    if not len(rows):
        return
    complete["length"][row] = len(rows)
    complete["last_item"][row] = rows[-1] + FIRST_IDX
    known = price[~np.isnan(price)]
    complete["mean_price"][row] = known.mean() if len(known) else np.nan
    for n in range(1, SHARES + 1):
        share = (category == common[n - 1]).mean() if n <= len(common) else 0.0
        complete[f"share_{n}"][row] = share
