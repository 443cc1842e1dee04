"""What the libraries' engines share: collections by name in this process's memory, and the checks around a search."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from pipeline.core.arrays import Floats, Rows
from pipeline.core.checks import one_of
from pipeline.core.errors import NotLoaded, UserError
from pipeline.core.progress import Progress, silent
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.engine import Built, Column, Found, Scalar
from pipeline.search.exact.distance import directions
from pipeline.search.params import IndexType, Values, validate_build, validate_search

METRICS = ("L2", "IP", "COSINE")
Checked = dict[str, Any]  # parameters that have been checked: a library takes them as they are


@dataclass
class MemoryCollection:
    """A collection: int64 keys (n), vectors (n, dim) float32, and the index once there is one."""

    dim: int
    metric: str
    ids: Rows
    vectors: Floats
    index: str | None = None
    params: Checked = field(default_factory=dict)
    built: Any = None
    loaded: bool = False


class MemoryEngine(ABC):
    """Hold collections and answer as `Engine` says; a library fills in how it builds and how it searches."""

    library: ClassVar[str]
    build_names: ClassVar[dict[str, tuple[str, ...]]]
    """Index type -> its build parameters; its keys are the types that the library has."""
    search_names: ClassVar[dict[str, tuple[str, ...]]]
    compares_cosines: ClassVar[bool] = False
    """Whether the library takes COSINE itself; else it gets vectors of length one, which IP orders alike."""

    def __init__(self) -> None:
        self._held: dict[str, MemoryCollection] = {}

    @abstractmethod
    def _make(self, index: str, params: Checked, metric: str, vectors: Floats) -> Any:
        """Build an index of (n, dim) float32 vectors; metric is L2 or IP, or COSINE where that is compared itself."""

    @abstractmethod
    def _ask(self, held: MemoryCollection, queries: Floats, k: int, params: Checked) -> tuple[Rows, Floats]:
        """Give (rows, scores), each (q, k), best first; a row outside the vectors where there is none."""

    def collections(self) -> list[str]:
        """List the collections."""
        return sorted(self._held)

    def create(self, name: str, dim: int, metric: str, scalars: Mapping[str, Scalar] | None = None) -> None:
        """Make an empty collection; a library keeps no scalar columns."""
        one_of(metric, METRICS, "metric")
        self._held[name] = MemoryCollection(dim, metric, np.empty(0, np.int64), np.empty((0, dim), np.float32))

    def insert(
        self, name: str, ids: Rows, vectors: Floats, scalars: Mapping[str, Column], progress: Progress = silent
    ) -> None:
        """Append vectors (n, dim) float32 under int64 keys; an index there was is gone, as it lacks them."""
        held = self._of(name)
        if vectors.ndim != 2 or vectors.shape[1] != held.dim or len(ids) != len(vectors):
            raise UserError(
                f"{len(ids):,} ids and vectors of shape {vectors.shape} do not fit collection '{name}': "
                f"give one id a vector and {held.dim} dimensions."
            )
        held.ids = np.concatenate([held.ids, np.asarray(ids, np.int64)])
        held.vectors = np.concatenate([held.vectors, np.asarray(vectors, np.float32)])
        held.index, held.built, held.loaded = None, None, False
        progress(len(ids), len(ids), "inserting vectors")

    def build(
        self, name: str, index: str, params: Values, metric: str, progress: Progress = silent, limit_s: float = 1800
    ) -> Built:
        """Build the index; `limit_s` cannot be kept, since a library is not interrupted."""
        held = self._of(name)
        one_of(index, self.build_names, f"{self.library} index type")
        held.metric = one_of(metric, METRICS, "metric")
        rows = len(held.ids)
        if not rows:
            raise UserError(f"Collection '{name}' has no vectors to index: insert some first.")
        held.index, held.params = index, validate_build(self._entry(index), params, held.dim, rows)
        scaled = metric == "COSINE" and not self.compares_cosines
        vectors = np.ascontiguousarray(unit(held.vectors) if scaled else held.vectors)
        started = time.monotonic()
        held.built = self._make(index, held.params, "IP" if scaled else metric, vectors)
        seconds = round(time.monotonic() - started, 6)
        progress(rows, rows, f"building {index}")
        return Built(seconds, rows, rows, "Finished")

    def load(self, name: str, progress: Progress = silent) -> None:
        """Let a collection be searched; raise UserError where it has no index."""
        held = self._of(name)
        if held.built is None:
            raise UserError(f"Collection '{name}' has no index yet: build one before it is loaded.")
        held.loaded = True

    def release(self, name: str) -> None:
        """Answer no search until the next `load`; the vectors stay, as there is no disk behind them."""
        self._of(name).loaded = False

    def drop(self, name: str) -> None:
        """Remove a collection; nothing happens where it does not exist."""
        self._held.pop(name, None)

    def describe(self, name: str) -> dict[str, Any]:
        """Report rows, index, metric, params, indexed_rows and whether it is loaded."""
        held = self._of(name)
        return {
            "rows": len(held.ids),
            "index": held.index,
            "metric": held.metric,
            "params": held.params,
            "indexed_rows": len(held.ids) if held.built is not None else 0,
            "loaded": held.loaded,
        }

    def search(self, name: str, queries: Floats, top_k: int, params: Values, filter: str = "") -> Found:
        """Search (q, dim) float32 queries for their `top_k` nearest: ids -1 and scores 0 where there are fewer."""
        held = self._of(name)
        if not held.loaded or held.index is None:
            raise NotLoaded(f"Collection '{name}' is not in memory: load it.")
        if filter:
            raise UserError(
                f"{self.library} cannot filter by '{filter}': it keeps no columns; search without a filter."
            )
        if queries.ndim != 2 or queries.shape[1] != held.dim:
            raise UserError(f"Queries of shape {queries.shape} do not fit '{name}': give (queries, {held.dim}).")
        if top_k < 1:
            raise UserError(f"top_k {top_k} is out of range: choose at least 1.")
        k = min(top_k, len(held.ids))
        values = validate_search(self._entry(held.index), held.params, params, k)
        scaled = held.metric == "COSINE" and not self.compares_cosines
        asked = np.ascontiguousarray(unit(queries) if scaled else queries, np.float32)
        rows, scores = self._ask(held, asked, k, values)
        there = (rows >= 0) & (rows < len(held.ids))
        found = Found(np.full((len(queries), top_k), -1, np.int64), np.zeros((len(queries), top_k), np.float32))
        found.ids[:, :k] = np.where(there, held.ids[np.where(there, rows, 0)], -1)
        found.scores[:, :k] = np.where(there, scores, 0)
        return found

    def _entry(self, index: str) -> IndexType:
        """Narrow the catalogue's entry to the parameters that the library takes."""
        entry = CATALOGUE[index]
        return replace(
            entry,
            most_top_k=sys.maxsize,  # the limit is Milvus's
            build=tuple(p for p in entry.build if p.name in self.build_names[index]),
            search=tuple(p for p in entry.search if p.name in self.search_names[index]),
        )

    def _of(self, name: str) -> MemoryCollection:
        if name not in self._held:
            raise UserError(f"{self.library} has no collection '{name}': create it first.")
        return self._held[name]


def unit(vectors: Floats) -> Floats:
    """Scale each row to length 1; a row of zeros stays as it is."""
    return directions(vectors).astype(np.float32)
