"""Candidates and how a ranker scores them, by what a feature store says of them."""

from collections.abc import Mapping

import numpy as np

from pipeline.core.arrays import Flags, Floats, Ints
from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, PRICE, TRAIN_CLICKS
from pipeline.models.dlrm.pairs import CandidateItems, PairTables, RetrievedItems, retrieved

ITEM_COLUMNS = (CATEGORY_IDX, TRAIN_CLICKS, PRICE)  # what a ranker reads of an item


def candidates(keys: Ints, scores: Floats, items: int) -> RetrievedItems:
    """Read what an index found: keys (n, k) of the catalogue of `items`; what came after training is no candidate."""
    columns = np.where((keys >= FIRST_IDX) & (keys < FIRST_IDX + items), keys - FIRST_IDX, -1)
    return retrieved(columns, scores)


def about(features: PairTables, found: RetrievedItems, store: Mapping[str, Floats]) -> CandidateItems:
    """Read what the feature store says of candidates; store: {column: (n, k)}."""
    category, clicks, price = (np.reshape(store[name], found.items.shape) for name in ITEM_COLUMNS)
    return features.given(np.maximum(found.items, 0), category, clicks, price)


def kept(keys: Ints, found: RetrievedItems, seen: Flags) -> Ints:
    """Give (n, k) keys, -1 for what is no candidate or was clicked already."""
    return np.where((found.items >= 0) & ~seen, keys, -1)
