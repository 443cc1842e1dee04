"""Vectors that are read block by block, however many there are: a model's, a file's, or made up."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.core.arrays import Floats
from pipeline.core.columns import VECTOR
from pipeline.core.errors import UserError
from pipeline.models.registry import KINDS
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import Entity, vectors_stage
from pipeline.vectors.imported import MOST_DIM, existing, read_vectors

SYNTHETIC = "synthetic"
_BLOCK = 65_536  # rows
_DIM = 64
_GROUP, _SPREAD = 40, 0.35  # made-up vectors in a group, and how far they lie from its centre
_MOST = 100_000_000


class Source(Protocol):
    """Vectors in a fixed order."""

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def dim(self) -> int:
        """How long each is."""

    def blocks(self) -> Iterator[Floats]:
        """Give them block by block, (n, dim) float32 each."""


@dataclass(frozen=True)
class ArraySource:
    """Vectors of an array, in memory or in a mapped file."""

    array: Floats

    @property
    def rows(self) -> int:  # noqa: D102 - as in Source
        return len(self.array)

    @property
    def dim(self) -> int:  # noqa: D102
        return int(self.array.shape[1])

    def blocks(self) -> Iterator[Floats]:  # noqa: D102
        for low in range(0, len(self.array), _BLOCK):
            yield np.ascontiguousarray(self.array[low : low + _BLOCK], np.float32)


class Parquet:
    """The column of vectors of a stage's Parquet."""

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetFile

        self.file = ParquetFile(path)
        self.rows = self.file.metadata.num_rows
        first = next(self.file.iter_batches(1, columns=[VECTOR]))
        self.dim = len(first.column(0)[0])

    def blocks(self) -> Iterator[Floats]:  # noqa: D102
        for batch in self.file.iter_batches(_BLOCK, columns=[VECTOR]):
            yield batch.column(0).flatten().to_numpy(zero_copy_only=False).reshape(-1, self.dim).astype(np.float32)


@dataclass(frozen=True)
class MadeUp:
    """Vectors in groups, as those of products that resemble each other are; the same for the same seed."""

    rows: int
    dim: int
    seed: int
    groups: int

    def blocks(self) -> Iterator[Floats]:  # noqa: D102
        centres = np.random.default_rng(7).standard_normal((self.groups, self.dim), np.float32)
        for low in range(0, self.rows, _BLOCK):
            random = np.random.default_rng((self.seed, low))
            count = min(_BLOCK, self.rows - low)
            noise = random.standard_normal((count, self.dim), np.float32)
            yield centres[random.integers(0, self.groups, count)] + _SPREAD * noise


@dataclass(frozen=True)
class Sizes:
    """How many made-up vectors there are."""

    items: int
    sessions: int
    dim: int


Vectors = Sizes | str
"""Which vectors: made-up ones, or those of a model or a file under their name."""


def read_model(model: str) -> Vectors:
    """Read 'synthetic:ITEMS,SESSIONS,DIM' – the last two may be left out: as many sessions as items, 64 dimensions.

    Anything else is a name; UserError for what is no size.
    """
    kind, _, text = model.partition(":")
    if kind != SYNTHETIC:
        return model
    try:
        numbers = [int(part.replace("_", "")) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(2 <= n <= _MOST for n in numbers):
        raise UserError(f"'{model}' is no size: write synthetic:ITEMS,SESSIONS,DIM, such as synthetic:49008,100000,64.")
    items, sessions, dim = (*numbers, *(numbers[0], _DIM)[len(numbers) - 1 :])
    if dim > MOST_DIM:
        raise UserError(f"{dim:,} dimensions are out of range: Milvus takes up to {MOST_DIM:,}.")
    return Sizes(items, sessions, dim)


def source(workspace: Workspace, vectors: Vectors, entity: Entity) -> Source:
    """Find the items or the sessions of a model, of a file that was imported, or made up."""
    if isinstance(vectors, Sizes):
        groups = max(2, vectors.items // _GROUP)  # of both, so that a session is near to items
        rows, seed = (vectors.items, 1) if entity == "items" else (vectors.sessions, 2)
        return MadeUp(rows, vectors.dim, seed, groups)
    path = workspace.stage(vectors_stage(vectors)) / f"{entity}.parquet"
    if not path.exists():
        imported = vectors not in KINDS
        where = "was imported from a file, which holds items and no sessions" if imported else "has no sessions"
        raise UserError(f"'{vectors}' {where}: choose the scenario item-item.")
    return Parquet(path)


def file_sources(file: str, query_file: str, metric: str) -> tuple[Source, Source | None, str]:
    """Read vectors of one's own, and the queries where there are any: (vectors, queries, metric).

    The metric is the one given, else that of the distance that HDF5 names, else IP.
    """
    path = existing(file)
    read = read_vectors(path, metric, queries=not query_file)
    queries = read_vectors(existing(query_file), read.metric).vectors if query_file else read.queries
    if queries is not None and queries.shape[1] != read.vectors.shape[1]:
        raise UserError(
            f"{query_file or file} has queries of {queries.shape[1]:,} dimensions and the vectors have "
            f"{read.vectors.shape[1]:,}: bring both of one length."
        )
    return ArraySource(read.vectors), None if queries is None else ArraySource(queries), read.metric
