"""VS-KNN: the items of the training sessions that are most like the one at hand, its last clicks counting most."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.arrays import Floats, Ints
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.models.contract import TrainingInput
from pipeline.sessions import sparse
from pipeline.sessions.histories import Histories
from pipeline.store.stage import Metrics
from pipeline.store.workspace import read_json, write_json

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_FILE = "sessions.npz"
_BLOCK = 256  # histories whose candidates are held at once, and their items: 50 MB with 50,000 items
_NEWER = 1e-4  # breaks ties between similarities, which are apart by 1 / length or more


class VsKnnConfig(Options):
    """What can be chosen of VS-KNN."""

    neighbours: int = Field(
        default=100, ge=1, le=100_000, description="Most similar sessions whose items are recommended."
    )
    sample: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Most recent sessions, of those with an item in common, that are compared.",
    )

    @model_validator(mode="after")
    def _neighbours_are_sampled(self) -> Self:
        if self.neighbours > self.sample:
            raise UserError(f"neighbours {self.neighbours} is out of range: choose 1 to sample, {self.sample}.")
        return self


@dataclass(frozen=True)
class VsKnn:
    """Compare a session with recent ones; add up the items of the nearest.

    The vector multiplication session-based kNN of Ludewig and Jannach (Evaluation of session-based recommendation
    algorithms, UMUAI 2018): a click's weight falls linearly with its age, sessions are compared by dot product, and the
    further back the last click in common lies, the less a neighbour counts. With the weight of rare items,
    log(sessions / sessions with the item), as Kersbergen et al. (Serenade, SIGMOD 2022) give it.
    """

    sessions: "csr_matrix"  # (sessions, items), oldest first
    config: VsKnnConfig

    @cached_property
    def recent(self) -> "csr_matrix":
        """Give (items, sessions): of each item, the most recent sessions that clicked it."""
        items = self.sessions.T.tocsr()
        items.sort_indices()
        return _last(items, self.config.sample)

    @cached_property
    def rarity(self) -> Floats:
        """Give (items,) the logarithm of the number of sessions over those with the item."""
        counts = np.bincount(self.sessions.indices, minlength=self.sessions.shape[1])
        return np.log(self.sessions.shape[0] / np.maximum(counts, 1)).astype(np.float32)

    def score(self, histories: Histories) -> "csr_matrix":
        """Give (n, items) scores; an item of no neighbour is not recommended."""
        from scipy.sparse import vstack

        parts = [self._score(histories.take(slice(i, i + _BLOCK))) for i in range(0, len(histories), _BLOCK)]
        return vstack(parts, format="csr")

    def _score(self, histories: Histories) -> "csr_matrix":
        shape = (len(histories), self.sessions.shape[1])
        rows, items, ago, length = _distinct(histories, shape[1])
        query = sparse.table(rows, items, (1 - ago / length).astype(np.float32), shape)
        fresh = np.zeros(shape, np.float32)  # by the last click in common, that one included; nothing from ten on
        fresh[rows, items] = np.maximum(0.9 - 0.1 * ago, 0)
        recent = _last((query @ self.recent).tocsc().tocsr(), self.config.sample)  # there and back sorts the columns
        asked, neighbours, similarity = _nearest(recent, self.config.neighbours)
        flat, pairs = _contents(self.sessions, neighbours)
        found = self.sessions.indices[flat].astype(np.int64)
        freshest = np.zeros(len(asked), np.float32)
        if len(pairs):
            freshest = np.maximum.reduceat(fresh[asked[pairs], found], np.flatnonzero(np.diff(pairs, prepend=-1)))
        return sparse.table(asked[pairs], found, (similarity * freshest)[pairs] * self.rarity[found], shape)


def _distinct(histories: Histories, items: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Give, of each item of each history: history, item, clicks since its last one, clicks of the history."""
    rows, columns, ago = (values[::-1] for values in sparse.clicked(histories))
    _, newest = np.unique(rows * items + columns, return_index=True)
    return rows[newest], columns[newest], ago[newest], (histories.end - histories.low)[rows[newest]]


def _nearest(similar: "csr_matrix", k: int) -> tuple[Ints, Ints, Floats]:
    """Give row, column and value of the `k` greatest of each row; of equal ones the later column, the newer session."""
    lengths = np.diff(similar.indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(similar.nnz) - similar.indptr[:-1].astype(np.int64)[rows]
    width = int(lengths.max(initial=0))
    if width > k:
        padded = np.zeros((len(lengths), width), np.float32)
        padded[rows, place] = similar.data + place * np.float32(_NEWER / width)
        best = np.argpartition(-padded, k - 1, axis=1)[:, :k]
        rows, place = np.nonzero(padded[np.arange(len(lengths))[:, None], best] > 0)
        place = best[rows, place]
    at = similar.indptr[:-1].astype(np.int64)[rows] + place
    return rows, similar.indices[at], similar.data[at]


def _last(matrix: "csr_matrix", k: int) -> "csr_matrix":
    """Keep the last `k` columns of each row, which are sorted: the most recent sessions."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    kept = np.arange(matrix.nnz) >= matrix.indptr[1:].astype(np.int64)[rows] - k
    return sparse.table(rows[kept], matrix.indices[kept], matrix.data[kept], matrix.shape)


def _contents(matrix: "csr_matrix", rows: Ints) -> tuple[Ints, Ints]:
    """Give the positions of all values of `rows`, one row after the other, and which of `rows` each belongs to."""
    lengths = np.diff(matrix.indptr)[rows].astype(np.int64)
    pairs = np.repeat(np.arange(len(rows)), lengths)
    return (matrix.indptr[rows] - np.cumsum(lengths) + lengths)[pairs] + np.arange(len(pairs)), pairs


def train(given: TrainingInput[VsKnnConfig]) -> Metrics:
    """Keep the training sessions, oldest first: there is nothing else to learn."""
    given.progress(0, 1, "sorting sessions by time")
    sessions = sparse.session_items(given.clicks, given.catalogue.height)
    sparse.save(given.folder / _FILE, sessions)
    write_json(given.folder / "config.json", given.options.model_dump())
    return {"sessions": sessions.shape[0]}


def load(folder: Path) -> VsKnn:
    """Read the sessions and how they are compared."""
    return VsKnn(sparse.load(folder / _FILE), VsKnnConfig(**read_json(folder / "config.json") or {}))
