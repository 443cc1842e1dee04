"""How far a vector is from a query: one definition for exact search, recall and files, in float64 from stored float32.

L2 is the squared distance and IP the dot product with its sign turned. COSINE, 1 - cos, is half the squared distance of
the vectors scaled to length one: the same number, without the cancellation where all of them point one way. It is 1
where one of the two is all zeros.
"""

from typing import Any

import numpy as np

from pipeline.core.arrays import Doubles, Floats, Rows

TIE = 1e-5  # of the k-th distance: what rounding to float32 within an index may cost, up to some hundred dimensions
_NOTHING = 1e-30  # 1 - cos of parallel vectors after rounding in float64
_AT_ONCE = 2**22  # numbers
_SAMPLE = 1024  # rows that tell where vectors lie


def lengths(vectors: Any) -> Doubles:
    """Give the length (n) of each vector (n, dim), in float64, so that no square overflows or vanishes."""
    wide = np.asarray(vectors, np.float64)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", wide, wide)))


def directions(vectors: Any) -> Doubles:
    """Scale each vector (n, dim) to length one, in float64; one of zeros stays as it is."""
    wide = np.array(vectors, np.float64)
    long = lengths(wide)
    wide /= np.where(long == 0, 1, long)[:, None]
    return wide


def between(vectors: Floats, queries: Floats, metric: str) -> Doubles:
    """Give the distance (n) between each vector (n, dim) and the query beside it, (n, dim) or (1, dim) for all."""
    if metric == "IP":
        return np.asarray(-(vectors.astype(np.float64) * queries).sum(1))
    if metric == "L2":
        apart = vectors.astype(np.float64)
        apart -= queries
        return np.asarray(np.einsum("ij,ij->i", apart, apart))
    apart, other = directions(vectors), directions(queries)
    undirected = ~apart.any(1) | ~other.any(1)
    apart -= other
    return np.asarray(np.where(undirected, 1, np.einsum("ij,ij->i", apart, apart) / 2))


def pair_distances(vectors: Floats, queries: Floats, rows: Rows, metric: str) -> Doubles:
    """Give the distances (q, k) between queries (q, dim) and the vectors in `rows` (q, k)."""
    wide, found = rows.shape[1], np.empty(rows.shape, np.float64)
    step = max(1, _AT_ONCE // (wide * queries.shape[1] or 1))
    for low in range(0, len(rows), step):
        part = rows[low : low + step]
        asked = np.repeat(queries[low : low + step], wide, axis=0)
        found[low : low + step] = between(np.asarray(vectors[part.ravel()]), asked, metric).reshape(part.shape)
    return found


def scores(far: Doubles, metric: str) -> Doubles:
    """Turn distances to what engines give: the dot product, the cosine, or the squared distance."""
    return far if metric == "L2" else -far if metric == "IP" else 1 - far


def evenly_spaced(vectors: Any) -> Any:
    """Pick vectors at even steps, enough to tell where all of them lie."""
    return vectors[:: max(1, len(vectors) // _SAMPLE)]


def middle(vectors: Any) -> Doubles:
    """Give the median (dim) of vectors (n, dim), which a few far ones do not move."""
    return np.asarray(np.median(vectors.astype(np.float64), axis=0))


def tolerance(vectors: Floats, queries: Floats, last: Rows, metric: str) -> Doubles:
    """Say how much farther than the k-th nearest, in row `last` (q), still counts as near: (q), in units of distance.

    For L2 and COSINE it is a share of the k-th distance, so that neither the unit nor the place of the vectors matters.
    A dot product may be zero, and moves with an offset of all vectors that changes no order: there it is a share of the
    query's length times the k-th vector's distance from the middle of all, the most that its score can stand out.
    """
    kth = np.asarray(vectors[last])
    if metric != "IP":
        return TIE * between(kth, queries, metric) + (_NOTHING if metric == "COSINE" else 0)
    return TIE * lengths(queries) * lengths(kth - middle(np.asarray(evenly_spaced(vectors))))
