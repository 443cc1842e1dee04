"""What every engine of vector search answers to, and what goes in and out of it; importing this loads no client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from pipeline.core.arrays import Doubles, Floats, Ints, Numbers
from pipeline.core.progress import Progress, silent
from pipeline.search.params import Values

Scalar = Literal["text", "int", "float"]
Column = list[str] | Ints | Doubles


@dataclass(frozen=True)
class Endpoint:
    """Where a Milvus server listens and who asks."""

    uri: str
    token: str  # 'user:password' or an API key
    embedded: bool = True

    def __repr__(self) -> str:
        return f"Endpoint({self.uri})"  # a token never reaches a log


@dataclass(frozen=True)
class Built:
    """What an engine reports of a finished index."""

    seconds: float
    rows: int
    indexed_rows: int
    state: str


@dataclass(frozen=True)
class Found:
    """The answer to a search: ids (q, k) int64, -1 where there are fewer, and scores (q, k) float32.

    Others' collections may have text for ids, which are objects then, None where there are fewer.
    """

    ids: Numbers
    scores: Floats


def no_keys(shape: tuple[int, int], text: bool) -> Numbers:
    """Make ids (q, k) for answers to be written into, all of them as where there is none: -1, or None for text."""
    return np.full(shape, None, object) if text else np.full(shape, -1, np.int64)


class Engine(Protocol):
    """Create, fill, index, search and drop collections of vectors."""

    def collections(self) -> list[str]:
        """List the collections, others' too."""

    def create(self, name: str, dim: int, metric: str, scalars: Mapping[str, Scalar] | None = None) -> None:
        """Make an empty collection: an int64 key, a vector, and scalar columns by name and type."""

    def insert(
        self,
        name: str,
        ids: Ints,
        vectors: Floats,
        scalars: Mapping[str, Column],
        progress: Progress = silent,
    ) -> None:
        """Insert columns; vectors: (n, dim) float32."""

    def build(
        self, name: str, index: str, params: Values, metric: str, progress: Progress = silent, limit_s: float = 1800
    ) -> Built:
        """Build the index and wait until it is finished."""

    def load(self, name: str, progress: Progress = silent) -> None:
        """Load a collection into memory and wait until it answers."""

    def release(self, name: str) -> None:
        """Take a collection out of memory."""

    def drop(self, name: str) -> None:
        """Remove a collection; nothing happens where it does not exist."""

    def describe(self, name: str) -> dict[str, Any]:
        """Report rows, index, metric, params, indexed_rows and whether it is loaded."""

    def search(self, name: str, queries: Floats, top_k: int, params: Values, filter: str = "") -> Found:
        """Search (q, dim) float32 queries for their `top_k` nearest."""


class Database(Engine, Protocol):
    """An engine that keeps columns beside the vectors: it filters, reads rows back, and changes them in place."""

    def count(self, name: str, filter: str = "", wait: bool = True) -> int:
        """Count the rows that `filter` lets through; `wait` for every change so far."""

    def rows(
        self, name: str, filter: str, columns: list[str], most: int | None = None, wait: bool = False
    ) -> list[dict[str, Any]]:
        """Read the rows that `filter` lets through, `most` of them or all; `wait` for every change so far."""

    def schema(self, name: str) -> dict[str, Any]:
        """Report {fields, key, vector, dim}; a field has a name and a type."""

    def upsert(
        self,
        name: str,
        ids: Ints,
        vectors: Floats,
        scalars: Mapping[str, Column],
        progress: Progress = silent,
    ) -> None:
        """Put rows in, in place of those that have their ids; searches see them on return."""

    def delete(self, name: str, ids: Ints) -> None:
        """Take rows out by id; searches see none of them on return."""
