"""What recommendations lose through an index: recall@20 and MRR@20 of the next click exactly and through it.

An index that misses a neighbour loses a recommendation only where that neighbour was the next click, so recall of the
index and the loss of its recommendations are two figures.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.core.arrays import Floats, Ints, Rows
from pipeline.metrics.ranking import CUTOFF, Ranked, Ranks, places, rank
from pipeline.search.engine import Engine
from pipeline.search.params import Values

MEASURES = (f"recall@{CUTOFF}", f"mrr@{CUTOFF}")
BLOCK = 1000  # queries in a request, and scored at once


@dataclass(frozen=True)
class SearchSetting:
    """A loaded collection of a model's items, and how it is searched."""

    engine: Engine
    collection: str
    params: Values
    keys: Ints
    """(items,) of the collection, one for each item."""


@dataclass(frozen=True)
class RevealedSessions:
    """A model's items, and sessions whose next click is known."""

    vectors: Floats
    """(items, dim), which the model scores by dot product."""
    queries: Floats
    """(n, dim), a session's clicks so far each."""
    targets: Ints
    """(n,) the row of the next click, -1 outside the catalogue."""

    def exact_ranks(self) -> Ranks:
        """Give each next click's rank (n,) among all items."""
        parts = [rank(self.queries[rows] @ self.vectors.T, self.targets[rows]) for rows in self._blocks()]
        return np.concatenate(parts) if parts else np.empty(0)

    def found(self, setting: SearchSetting) -> Rows:
        """Give the keys (n, 20) that the index answers, fewer columns where there are fewer items."""
        k = min(CUTOFF, len(setting.keys))
        parts = [
            setting.engine.search(setting.collection, self.queries[rows], k, setting.params).ids
            for rows in self._blocks()
        ]
        return np.concatenate(parts) if parts else np.empty((0, k), np.int64)

    def ranks_in(self, found: Rows, keys: Ints) -> Ranks:
        """Give each next click's place (n,) in an answer, as `rank` does for what the index does not find."""
        return places(found, np.where(self.targets >= 0, keys[self.targets], -1)).astype(np.float64)

    def _blocks(self) -> Iterator[slice]:
        return (slice(low, low + BLOCK) for low in range(0, len(self.targets), BLOCK))


def measure_shares(ranks: Ranks) -> Floats:
    """Give each example's share (n, 2) in MEASURES."""
    found = Ranked(ranks, np.zeros(len(ranks), np.float32), 0.0).measures()
    return np.stack([found[name] for name in MEASURES], axis=1)


def means(ranks: Ranks) -> dict[str, float]:
    """Give MEASURES of all examples."""
    found = measure_shares(ranks).mean(axis=0, dtype=np.float64)
    return {name: round(float(mean), 6) for name, mean in zip(MEASURES, found, strict=True)}
