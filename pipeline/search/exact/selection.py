"""The largest of each row of a matrix by NumPy, several times quicker than partitioning whole rows.

Columns are put into groups, several times `k` of them. The `k`-th largest of the groups' maxima is a threshold that `k`
values of the row reach for certain, and seldom many more: only these are picked out and sorted.
"""

import numpy as np

from pipeline.core.arrays import Flags, Numbers

_WIDEST = 64  # columns in a group at most
_GROUPS = 4  # times k: more, and a threshold lets fewer pass that are not wanted
_ROWS = 64  # at once: what is picked out of rows in which all are equal is as large as they are


def largest(scores: Numbers, k: int, floor: Numbers | None = None, later: bool = False) -> tuple[Numbers, Numbers]:
    """Give the (q, k) largest of each row (q, n), descending, and their columns; `k` <= n.

    Of equal values the earlier column comes first, or the `later` one. NaN and -inf are never among them, nor, where a
    `floor` (q) is given, what is not above it; places that none fills hold -inf and column -1.
    """
    values, columns = np.empty((len(scores), k), scores.dtype), np.empty((len(scores), k), np.int64)
    for low in range(0, len(scores), _ROWS):
        rows = slice(low, low + _ROWS)
        block = scores[rows]
        passed = _reached(block, k) if floor is None else block > floor[rows, None]
        values[rows], columns[rows] = _sorted(*_picked(block, passed, k, later), k)
    return values, columns


def _reached(scores: Numbers, k: int) -> Flags:
    """Tell which values reach a threshold that the `k` largest of each row reach."""
    rows, columns = scores.shape
    width = max(1, min(_WIDEST, columns // (_GROUPS * k)))
    groups = columns // width
    maxima = np.fmax.reduce(scores[:, : width * groups].reshape(rows, width, groups), axis=1)
    maxima = np.where(np.isnan(maxima), -np.inf, maxima)
    threshold = np.partition(maxima, groups - k, axis=1)[:, groups - k]
    return scores >= np.maximum(threshold, np.finfo(scores.dtype).min)[:, None]


def _picked(scores: Numbers, passed: Flags, k: int, later: bool) -> tuple[Numbers, Numbers]:
    """Collect what passed of each row, and its columns, beside each other; -inf and -1 fill up, to `k` at least.

    Positions in the flat matrix are in order, so a row's values are a run of them.
    """
    flat = np.flatnonzero(passed)
    rows = flat // scores.shape[1]
    counts = np.bincount(rows, minlength=len(scores))
    ends = np.cumsum(counts)
    here = np.arange(len(flat))
    places = np.repeat(ends, counts) - 1 - here if later else here - np.repeat(ends - counts, counts)
    width = max(k, int(counts.max(initial=0)))
    values = np.full((len(scores), width), -np.inf, scores.dtype)
    columns = np.full((len(scores), width), -1, np.int64)
    values[rows, places] = scores.ravel()[flat]
    columns[rows, places] = flat - rows * scores.shape[1]
    return values, columns


def _sorted(values: Numbers, columns: Numbers, k: int) -> tuple[Numbers, Numbers]:
    """Put the `k` largest of each row in descending order, equal ones as they stand."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(columns, order, axis=1)
