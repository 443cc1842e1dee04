"""Vectors that are read block by block, however many there are: a model's, a file's, or made up."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import VECTOR
from pipeline.core.errors import UserError
from pipeline.core.workspace import Workspace
from pipeline.models.registry import KINDS
from pipeline.vectors.embed import Entity, vectors_stage
from pipeline.vectors.files import read_arrays, read_queries
from pipeline.vectors.imported import checked, metric_of

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


def source(workspace: Workspace, model: str, entity: Entity) -> Source:
    """Find a model's items or sessions, those brought as a file, or 'synthetic:ITEMS,SESSIONS,DIM'."""
    if model.partition(":")[0] == SYNTHETIC:
        items, sessions, dim = synthetic_size(model)
        groups = max(2, items // _GROUP)  # of both, so that a session is near to items
        return MadeUp(items, dim, 1, groups) if entity == "items" else MadeUp(sessions, dim, 2, groups)
    path = workspace.stage(vectors_stage(model)) / f"{entity}.parquet"
    if not path.exists():
        where = "was brought as a file, which holds items and no sessions" if model not in KINDS else "has no sessions"
        raise UserError(f"'{model}' {where}: choose the scenario item-item.")
    return Parquet(path)


def synthetic_size(model: str) -> tuple[int, int, int]:
    """Read 'synthetic:ITEMS,SESSIONS,DIM' – the last two may be left out: as many sessions as items, 64 dimensions."""
    try:
        numbers = [int(part.replace("_", "")) for part in model.partition(":")[2].split(",")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(2 <= n <= _MOST for n in numbers):
        raise UserError(f"'{model}' is no size: write synthetic:ITEMS,SESSIONS,DIM, such as synthetic:49008,100000,64.")
    items, sessions, dim = (*numbers, *(numbers[0], _DIM)[len(numbers) - 1 :])
    if dim > 32_768:
        raise UserError(f"{dim:,} dimensions are out of range: Milvus takes up to 32,768.")
    return items, sessions, dim


def file_sources(file: str, query_file: str, metric: str) -> tuple[Source, Source | None, str]:
    """Read vectors of one's own, and the queries where there are any: (vectors, queries, metric).

    The metric is the one given, else that of the distance that HDF5 names, else IP.
    """
    path = _existing(file)
    test, distance = read_queries(path)
    metric = metric or metric_of(path, distance)
    vectors = _read(path, metric)
    own = None if test is None else ArraySource(checked(path, pl.Series(np.arange(len(test))), test, metric)[1])
    queries = _read(_existing(query_file), metric) if query_file else own
    if queries is not None and queries.dim != vectors.dim:
        raise UserError(
            f"{query_file or file} has queries of {queries.dim:,} dimensions and the vectors have {vectors.dim:,}: "
            "bring both of one length."
        )
    return vectors, queries, metric


def _existing(file: str) -> Path:
    path = Path(file)
    if not path.is_file():
        raise UserError(f"There is no file {path}: name one of .npy, .npz, Parquet, CSV or HDF5.")
    return path


def _read(path: Path, metric: str) -> ArraySource:
    ids, numbers = read_arrays(path)[:2]
    return ArraySource(checked(path, ids, numbers, metric)[1])
