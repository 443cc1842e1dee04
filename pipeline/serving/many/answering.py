"""Two ways of answering a block of sessions: the nearest items of an index, or the four stages with their ranker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.core.arrays import Flags, Floats, Ints
from pipeline.indexes.known import KnownItems
from pipeline.search.engine import Database
from pipeline.search.params import Values
from pipeline.serving.features.tables import session_key
from pipeline.serving.recommender import loaded
from pipeline.serving.stages.fast import FastPath, batch
from pipeline.serving.stages.histories import Requests

_MORE = 32  # neighbours asked for beside k where what was seen is left out
_NOBODY = "a session that no store knows"
BestItems = tuple[Ints, Floats]  # (n, k) keys, -1 where there are fewer, and scores


class Answering(Protocol):
    """Answers blocks of sessions."""

    @property
    def block(self) -> int:
        """Give how many sessions are asked at once."""
        ...

    def answer(self, requests: Requests) -> BestItems:
        """Give the best k of each session, best first."""
        ...


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest items of an index."""

    engine: Database
    collection: str
    known: KnownItems
    k: int
    size: int
    """Rows of the index."""
    search: Callable[[int], Values]
    """Search parameters for a number of neighbours."""
    exclude_seen: bool
    block: int = 1000

    def answer(self, requests: Requests) -> BestItems:
        """Search for all vectors at once; those of which too few are left when what was seen is out, again."""
        vectors = self.known.encoder.encode(requests.known(self.known.categories))
        lengths = np.diff(requests.offsets)
        most = int(lengths.max()) if self.exclude_seen else 0
        keys, scores = self._asked(vectors, requests, min(self.size, self.k + min(most, _MORE)))
        short = ((keys >= 0).sum(axis=1) < self.k) & (lengths > _MORE) & self.exclude_seen
        for row in np.flatnonzero(short):
            one = Requests.of([requests.values[requests.offsets[row] : requests.offsets[row + 1]].tolist()])
            clicked = len(np.unique(one.values))
            again = self._asked(vectors[row : row + 1], one, min(self.size, self.k + clicked))
            keys[row], scores[row] = again[0][0], again[1][0]
        return keys, scores

    def _asked(self, vectors: Floats, requests: Requests, fetch: int) -> BestItems:
        found = loaded(
            self.engine,
            self.collection,
            lambda: self.engine.search(self.collection, vectors, fetch, self.search(fetch)),
        )
        there = found.ids >= 0
        return first(found.ids, found.scores, there & ~requests.seen(found.ids) if self.exclude_seen else there, self.k)


@dataclass(frozen=True, eq=False)
class FourStages:
    """Retrieve, filter, score, order: by score, without sampling. What a session has seen is always left out."""

    path: FastPath
    engine: Database
    k: int
    block: int = 256

    def answer(self, requests: Requests) -> BestItems:
        """Rank what is retrieved; features of sessions are read from the clicks in the log."""
        keys = np.full(len(requests), session_key(_NOBODY), np.int64)
        found = self.path.answer(keys, requests, self.engine, *batch(0.0, 0, len(requests)))
        kept = np.take_along_axis(found.kept, found.order, axis=1)
        scores = np.take_along_axis(found.scores, found.order, axis=1)
        return first(kept, scores, kept >= 0, self.k)


def first(keys: Ints, scores: Floats, wanted: Flags, k: int) -> BestItems:
    """Move what is wanted to the front, in its order; give the first k, -1 and NaN where there are fewer."""
    order = np.argsort(~wanted, axis=1, kind="stable")[:, :k]
    best, of = np.take_along_axis(keys, order, axis=1), np.take_along_axis(scores, order, axis=1)
    there = np.take_along_axis(wanted, order, axis=1)
    return np.where(there, best, -1), np.where(there, of, np.nan).astype(np.float32)
