"""Exact neighbours of vectors among themselves, as UMAP takes them."""

import numpy as np
import numpy.typing as npt

from pipeline.core.arrays import Floats
from pipeline.search.exact.blocked import ExactSearch, numpy_arrays


def neighbors(vectors: Floats, k: int) -> tuple[npt.NDArray[np.int32], Floats]:
    """Give the (n, k) nearest rows by cosine, each row's own first, and their distances 1 - cosine, ascending."""
    rows, far = ExactSearch(numpy_arrays(), vectors, "COSINE").nearest(vectors, k)
    own = rows == np.arange(len(rows))[:, None]
    own[~own.any(1), -1] = True  # more of its equals than places: it takes the last one
    others = np.argsort(~own, axis=1, kind="stable")[:, 1:]
    first = np.arange(len(rows))[:, None]
    distances = np.take_along_axis(far, others, axis=1).astype(np.float32)
    zeros = np.zeros((len(rows), 1), np.float32)
    return np.hstack([first, np.take_along_axis(rows, others, axis=1)]).astype(np.int32), np.hstack([zeros, distances])
