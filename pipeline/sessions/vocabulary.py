"""Numbers of items and categories: 0 padding, 1 nothing there, 2 not seen in training, then by clicks in training.

Of two that were clicked as often, the smaller id comes first: so every engine numbers alike.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.core.arrays import Ints
from pipeline.core.columns import CATEGORY, CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, OUT_OF_VOCABULARY, TRAIN_CLICKS

NOTHING = 1  # what NVTabular numbers a null


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What training has seen, and the numbers of all items of the log by their row."""

    items: pl.DataFrame
    """item_idx, item_id, train_clicks; ordered by item_idx."""
    categories: pl.DataFrame
    """category_idx, category, train_clicks; ordered by category_idx."""
    item_idx: Ints
    """(rows of the items,) the number of each."""
    category_idx: Ints
    """(rows of the items,) the number of each one's category."""

    @staticmethod
    def of(items: pl.DataFrame, clicked: Ints) -> "Vocabulary":
        """Count and number; items: item_id and category; clicked: the row in them of each training click."""
        counts = pl.Series(TRAIN_CLICKS, np.bincount(clicked, minlength=items.height).astype(np.uint32))
        counted = items.select(ITEM_ID, pl.col(CATEGORY).cast(pl.String)).with_row_index("row").with_columns(counts)
        seen = counted.filter(pl.col(TRAIN_CLICKS) > 0)
        ordered = _numbered(seen, ITEM_ID, ITEM_IDX)
        of_category = seen.drop_nulls(CATEGORY).group_by(CATEGORY).agg(pl.col(TRAIN_CLICKS).sum())
        categories = _numbered(of_category, CATEGORY, CATEGORY_IDX)
        item_idx = np.full(items.height, OUT_OF_VOCABULARY, np.int64)
        item_idx[ordered["row"].to_numpy()] = ordered[ITEM_IDX].to_numpy()
        coded = counted.join(categories, on=CATEGORY, how="left", maintain_order="left")
        nothing = pl.when(pl.col(CATEGORY).is_null()).then(NOTHING).otherwise(OUT_OF_VOCABULARY)
        category_idx = coded.select(pl.col(CATEGORY_IDX).fill_null(nothing)).to_series().to_numpy()
        return Vocabulary(
            ordered.select(ITEM_IDX, ITEM_ID, TRAIN_CLICKS), categories, item_idx, category_idx.astype(np.int64)
        )


def _numbered(counted: pl.DataFrame, name: str, number: str) -> pl.DataFrame:
    ordered = counted.sort(pl.col(TRAIN_CLICKS), pl.col(name), descending=[True, False])
    return ordered.with_row_index(number, FIRST_IDX).with_columns(pl.col(number).cast(pl.Int64))
