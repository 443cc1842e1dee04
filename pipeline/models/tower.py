"""A trained tower as plain weights, so that a query is answered in a millisecond without TensorFlow.

The towers are Merlin's; their weights are exported after training, and the export compares these functions with
Merlin's own outputs before anything is written (two_tower.py).
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.models import weights
from pipeline.sessions.histories import Histories

_BATCH = 8192


@dataclass(frozen=True)
class Tower:
    """Embeddings of a category and an item, concatenated, through dense layers with ReLU between them."""

    item: Floats  # (items, d) embedding table
    category: Floats  # (categories, d)
    kernel0: Floats  # (2 d, h)
    bias0: Floats  # (h,)
    kernel1: Floats  # (h, dim)
    bias1: Floats  # (dim,)

    def dense(self, inputs: Floats) -> Floats:
        """Take (n, 2 d) inputs, category first, to (n, dim) vectors."""
        hidden = np.maximum(inputs @ self.kernel0 + self.bias0, 0)
        return np.asarray(hidden @ self.kernel1 + self.bias1, np.float32)

    def items(self, items: Ints, categories: Ints) -> Floats:
        """Encode n items to (n, dim)."""
        return self.dense(np.hstack([self.category[categories], self.item[items]]))

    def histories(self, histories: Histories) -> Floats:
        """Encode n histories to (n, dim): the mean of their clicks' embeddings, zeros where a history is empty."""
        parts = [self._batch(histories.take(slice(i, i + _BATCH))) for i in range(0, len(histories), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.bias1)), np.float32)

    def _batch(self, histories: Histories) -> Floats:
        rows, offsets = histories.ragged()
        clicks = np.hstack([self.category[histories.categories[rows]], self.item[histories.items[rows]]])
        lengths = np.diff(offsets)
        sums = np.zeros((len(lengths), clicks.shape[1]), np.float32)
        filled = lengths > 0
        if filled.any():
            sums[filled] = np.add.reduceat(clicks, offsets[:-1][filled])
        return self.dense(sums / np.maximum(lengths, 1)[:, None].astype(np.float32))


@dataclass(frozen=True)
class TwoTower:
    """The query tower and the item tower of one model."""

    query: Tower
    candidate: Tower

    def save(self, path: Path) -> None:
        """Write both towers to one .npz file."""
        towers = {"query": self.query, "candidate": self.candidate}
        arrays = {f"{n}_{f.name}": getattr(t, f.name) for n, t in towers.items() for f in fields(Tower)}
        weights.save(path, arrays)

    @staticmethod
    def load(path: Path) -> "TwoTower":
        """Read both towers from an .npz file."""
        stored = weights.load(path)
        towers = [Tower(**{f.name: stored[f"{n}_{f.name}"] for f in fields(Tower)}) for n in ("query", "candidate")]
        return TwoTower(*towers)
