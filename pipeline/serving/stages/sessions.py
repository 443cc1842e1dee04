"""Features of sessions that the store does not know: read from the clicks that came with the request."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, PRICE
from pipeline.serving.features.tables import SESSION_FEATURES, SHARES, common_categories, prices
from pipeline.serving.stages.histories import Requests


@dataclass(frozen=True, eq=False)
class SessionReader:
    """What the features of a session are read in, of one catalogue."""

    prices: Floats  # (items,), NaN where unknown
    categories: Ints  # (items,) category_idx
    common: tuple[int, ...]  # the categories whose shares are features

    @staticmethod
    def of(catalogue: pl.DataFrame) -> "SessionReader":
        """Read a catalogue, with or without prices."""
        priced = catalogue.with_columns(prices(catalogue).alias(PRICE))[PRICE].fill_null(float("nan"))
        common = tuple(common_categories(catalogue))
        return SessionReader(priced.to_numpy(), catalogue[CATEGORY_IDX].to_numpy(), common)

    def completed(self, found: Mapping[str, Floats], requests: Requests) -> dict[str, Floats]:
        """Give sessions' features, from the store where it has them, else from their clicks; 'seconds' stays unknown.

        found: {feature: (n,)} float32, NaN where the store knows nothing.
        """
        complete = {name: np.array(found[name], np.float32) for name in SESSION_FEATURES}
        for session in np.flatnonzero(np.isnan(complete["length"])):
            items = requests.values[requests.offsets[session] : requests.offsets[session + 1]]
            rows = items[(items >= FIRST_IDX) & (items < FIRST_IDX + len(self.prices))] - FIRST_IDX
            for name, value in self._read(rows).items() if len(rows) else ():
                complete[name][session] = value
        return complete

    def _read(self, rows: Ints) -> dict[str, float]:
        """Read the features of clicks, oldest first: rows of the catalogue."""
        known = self.prices[rows][~np.isnan(self.prices[rows])]
        shares = [float((self.categories[rows] == code).mean()) for code in self.common]
        return {
            "length": len(rows),
            "last_item": rows[-1] + FIRST_IDX,
            "mean_price": known.mean() if len(known) else np.nan,
            **{f"share_{n}": share for n, share in enumerate([*shares, *[0.0] * (SHARES - len(shares))], 1)},
        }
