"""Exact neighbours by comparing every vector with every other one, in blocks."""

import numpy as np
import numpy.typing as npt

_BLOCK_BYTES = 200e6  # of similarities held at once


def neighbors(vectors: npt.NDArray[np.float32], k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Give the (n, k) nearest rows by cosine, each row's own first, and their distances 1 - cosine, ascending."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, 1e-12)
    rows = np.empty((len(unit), k), np.int32)
    distances = np.empty((len(unit), k), np.float32)
    block = max(1, int(_BLOCK_BYTES / 4 / len(unit)))
    for low in range(0, len(unit), block):
        part = slice(low, min(low + block, len(unit)))
        similar = unit[part] @ unit.T
        similar[np.arange(len(similar)), np.arange(part.start, part.stop)] = 2.0  # itself comes first
        best = np.argpartition(-similar, k - 1, axis=1)[:, :k]
        close = np.take_along_axis(similar, best, axis=1)
        order = np.argsort(-close, axis=1, kind="stable")
        rows[part] = np.take_along_axis(best, order, axis=1)
        distances[part] = np.maximum(1 - np.take_along_axis(close, order, axis=1), 0)
    distances[:, 0] = 0
    return rows, distances
