"""Sparse matrices of sessions and items, and the order within their rows; SciPy is imported when it is needed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats, Ints
from pipeline.core.checks import finite
from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.sessions.histories import Histories

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def table(rows: Ints, columns: Ints, values: Floats, shape: tuple[int, int]) -> "csr_matrix":
    """Sum values (n,) into a matrix of float32 by row and column."""
    from scipy.sparse import coo_matrix

    return coo_matrix((values.astype(np.float32), (rows, columns)), shape=shape).tocsr()


def by_score(matrix: "csr_matrix") -> tuple[Ints, Ints, Ints]:
    """Give the (stored,) rows, the positions of their values, best first within each row, and each one's place there.

    Of equal values the one in the later column comes first.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.indices, -matrix.data, rows))
    return rows, order, np.arange(len(rows)) - matrix.indptr[:-1].astype(np.int64)[rows]


def strongest(matrix: "csr_matrix", k: int) -> "csr_matrix":
    """Keep the `k` greatest values of each row."""
    rows, order, place = by_score(matrix)
    kept = order[place < k]
    return table(rows[place < k], matrix.indices[kept], matrix.data[kept], matrix.shape)


def session_items(clicks: pl.DataFrame, items: int) -> "csr_matrix":
    """Give (sessions, items) with a 1 where a session clicked an item; sessions by the time of their last click."""
    pairs = (
        clicks.with_columns(pl.col(TIMESTAMP).max().over(SESSION_ID).alias("_end"))
        .with_columns(pl.struct("_end", SESSION_ID).rank("dense").alias("_row"))
        .select(pl.col("_row") - 1, ITEM_IDX)
        .unique()
    )
    rows, columns = pairs["_row"].to_numpy().astype(np.int64), pairs[ITEM_IDX].to_numpy() - FIRST_IDX
    return table(rows, columns, np.ones(len(rows), np.float32), (int(rows.max()) + 1, items))


def clicked(histories: Histories) -> tuple[Ints, Ints, Ints]:
    """Give, of each click of n histories, its history's number, its item's column, and how many clicks came after."""
    flat, offsets = histories.ragged()
    lengths = np.diff(offsets)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    return rows, histories.items[flat] - FIRST_IDX, offsets[1:][rows] - 1 - np.arange(len(flat))


def save(path: Path, matrix: "csr_matrix") -> None:
    """Write a matrix as an .npz file; UserError where it holds what is not finite."""
    from scipy.sparse import save_npz

    _check(path, matrix)
    save_npz(path, matrix, compressed=False)


def load(path: Path) -> "csr_matrix":
    """Read a matrix from an .npz file; UserError where it holds what is not finite."""
    from scipy.sparse import load_npz

    matrix = load_npz(path)
    _check(path, matrix)
    return matrix


def _check(path: Path, matrix: "csr_matrix") -> None:
    if not finite(matrix.data):
        raise UserError(f"{path} would hold counts that are no finite numbers: train this model again.")
