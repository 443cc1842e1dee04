"""Exact neighbours of vectors among themselves, as UMAP takes them."""

import numpy as np
import numpy.typing as npt

from pipeline.vectors.blocked import nearest, numpy_arrays
from pipeline.vectors.memory import unit


def neighbors(vectors: npt.NDArray[np.float32], k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Give the (n, k) nearest rows by cosine, each row's own first, and their distances 1 - cosine, ascending."""
    scaled = unit(vectors)
    rows, similar = nearest(numpy_arrays(), scaled, scaled, k, "IP")
    own = rows == np.arange(len(rows))[:, None]
    own[~own.any(1), -1] = True  # more of its equals than places: it takes the last one
    others = np.argsort(~own, axis=1, kind="stable")[:, 1:]
    first = np.arange(len(rows))[:, None]
    distances = np.maximum(1 - np.take_along_axis(similar, others, axis=1), 0)
    zeros = np.zeros((len(rows), 1), np.float32)
    return np.hstack([first, np.take_along_axis(rows, others, axis=1)]).astype(np.int32), np.hstack([zeros, distances])
