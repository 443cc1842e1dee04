"""The largest of each row of a wide matrix by NumPy, several times quicker than partitioning whole rows.

A column in some twenty tells a threshold that a little more than k values of the row pass, almost surely; those are
picked out in one comparison, and only they are sorted. A row in which fewer passed is partitioned whole.
"""

import math

import numpy as np

from pipeline.core.arrays import Numbers

_SAMPLE = 2048  # columns that tell the threshold
_NARROW = 4 * _SAMPLE  # below, partitioning whole rows is as quick


def largest(scores: Numbers, k: int, floor: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """Give the (q, k) largest of each row, descending, and their columns.

    Where a `floor` (q) is given, only values above it count, and places that none fills hold -inf and column 0.
    """
    if scores.shape[1] < max(_NARROW, 8 * k):
        return _sorted(scores, None, k)
    values, columns = _above(scores, _threshold(scores, k) if floor is None else floor, k)
    values, columns = _sorted(values, columns, k)
    if floor is None and (short := np.flatnonzero(np.isneginf(values[:, -1]))).size:
        values[short], columns[short] = _sorted(scores[short], None, k)
    return values, columns


def _threshold(scores: Numbers, k: int) -> Numbers:
    """Guess for each row a value that somewhat more than `k` others are above."""
    step = scores.shape[1] // _SAMPLE
    sample = scores[:, ::step]
    expected = k / step  # of the k largest in the sample
    rank = min(sample.shape[1] - 1, math.ceil(expected + 4 * math.sqrt(expected) + 4))
    return np.partition(sample, sample.shape[1] - 1 - rank, axis=1)[:, -1 - rank]


def _above(scores: Numbers, floor: Numbers, k: int) -> tuple[Numbers, Numbers]:
    """Collect each row's values above its floor, and their columns, beside each other; -inf fills up, to `k` at least.

    Positions in the flat matrix are in order, so a row's values are a run of them.
    """
    flat = np.flatnonzero(scores > floor[:, None])
    rows = flat // scores.shape[1]
    counts = np.bincount(rows, minlength=len(scores))
    places = np.arange(len(flat)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = max(k, int(counts.max(initial=0)))
    values = np.full((len(scores), width), -np.inf, scores.dtype)
    columns = np.zeros((len(scores), width), np.int64)
    values[rows, places] = scores.ravel()[flat]
    columns[rows, places] = flat - rows * scores.shape[1]
    return values, columns


def _sorted(scores: Numbers, columns: Numbers | None, k: int) -> tuple[Numbers, Numbers]:
    """Take the `k` largest of each row in descending order, from `columns` where the scores are not all of them."""
    best = np.argpartition(scores, scores.shape[1] - k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    values = np.take_along_axis(scores, best, axis=1)
    return values, best if columns is None else np.take_along_axis(columns, best, axis=1)
