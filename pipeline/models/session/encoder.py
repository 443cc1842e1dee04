"""A trained session encoder as plain weights: a session is encoded in well under a millisecond without TensorFlow.

Attention over the clicks so far and the last click, after STAMP (Liu et al., KDD 2018) and SR-GNN (Wu et al.,
AAAI 2019); vectors of length one, so that the inner product is the cosine, after NISER (Gupta et al., 2019).
session_network.py holds the same function in TensorFlow, where it is trained.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import FIRST_IDX
from pipeline.models import weights
from pipeline.sessions.histories import Histories

_BATCH = 8192
_EPSILON = 1e-12


@dataclass(frozen=True)
class SessionEncoder:
    """Item vectors of length one, and the weights that make a vector of the same space of a session's clicks."""

    vectors: Floats  # (items, dim), in the catalogue's order
    last: Floats  # (dim, dim), what the last click says of the next
    context: Floats  # (dim, dim), what the attended clicks say
    bias: Floats  # (dim,)
    hidden: Floats  # (2 dim, 2 dim), both together
    out: Floats  # (2 dim, dim)
    query: Floats  # (dim,), of the attention
    key_last: Floats  # (dim, dim)
    key_click: Floats  # (dim, dim)
    key_position: Floats  # (MAX_HISTORY, dim), the last click is at 0
    position: Floats  # (MAX_HISTORY, dim), added to a click
    recency: Floats  # (MAX_HISTORY,), added to its weight

    def score(self, histories: Histories) -> Floats:
        """Give (n, items) inner products of each history's vector with every item's."""
        return self.encode(histories) @ self.vectors.T

    def encode(self, histories: Histories) -> Floats:
        """Encode n histories to (n, dim), of length one each; zeros where a history is empty."""
        encoded = np.zeros((len(histories), self.vectors.shape[1]), np.float32)
        filled = np.flatnonzero(histories.end > histories.low)
        for begin in range(0, len(filled), _BATCH):
            some = filled[begin : begin + _BATCH]
            encoded[some] = self._encode(*flatten(histories.take(some)))
        return encoded

    def _encode(self, items: Ints, owner: Ints, ago: Ints, last: Ints) -> Floats:
        clicks = self.vectors[items]
        newest = clicks[last]
        keys = (newest @ self.key_last)[owner] + clicks @ self.key_click + self.key_position[ago]
        weights = np.exp(np.tanh(keys * 0.5) @ self.query + self.recency[ago])[:, None]
        starts = np.concatenate([[0], last[:-1] + 1])
        attended = np.add.reduceat((clicks + self.position[ago]) * weights, starts) / np.add.reduceat(weights, starts)
        both = np.concatenate([newest, attended], axis=1)
        vectors = newest @ self.last + attended @ self.context + self.bias
        vectors += np.maximum(both @ self.hidden, 0) @ self.out
        length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True) + _EPSILON)
        return np.asarray(vectors / length, np.float32)

    def save(self, path: Path) -> None:
        """Write all weights to one .npz file."""
        weights.save(path, {f.name: getattr(self, f.name) for f in fields(self)})

    @staticmethod
    def load(path: Path) -> "SessionEncoder":
        """Read the weights from an .npz file."""
        stored = weights.load(path)
        return SessionEncoder(**{f.name: stored[f.name] for f in fields(SessionEncoder)})


def flatten(histories: Histories) -> tuple[Ints, Ints, Ints, Ints]:
    """Lay histories, none of them empty, one after the other.

    Gives each click's item (a row of the catalogue), its history and how many clicks ago it was, and each history's
    last click.
    """
    rows, offsets = histories.ragged()
    lengths = np.diff(offsets)
    ago = np.repeat(offsets[1:] - 1, lengths) - np.arange(len(rows))
    return histories.items[rows] - FIRST_IDX, np.repeat(np.arange(len(lengths)), lengths), ago, offsets[1:] - 1
