"""Exact nearest neighbours block by block on any array module: NumPy, CuPy or PyTorch."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from pipeline.vectors.memory import Floats, Rows

Pair = tuple[Any, Any]  # values (q, k) and columns (q, k), on the device


class Arrays(Protocol):
    """The few operations that differ between array modules."""

    def put(self, host: Floats | Rows) -> Any:
        """Copy a numpy array to the device."""

    def get(self, array: Any) -> Any:
        """Copy an array of the device to numpy."""

    def top(self, scores: Any, k: int) -> Pair:
        """Give the `k` greatest of each row, descending, and their columns."""

    def join(self, left: Any, right: Any) -> Any:
        """Put two arrays beside each other."""

    def take(self, array: Any, columns: Any) -> Any:
        """Pick columns (q, k) out of each row."""


class NumpyLike:
    """Arrays of NumPy, or of CuPy, which has the same functions; `to_host` copies back."""

    def __init__(self, module: Any, to_host: Callable[[Any], Any]) -> None:
        self.module, self.get = module, to_host

    def put(self, host: Floats | Rows) -> Any:  # noqa: D102 - as in Arrays
        return self.module.asarray(host)

    def top(self, scores: Any, k: int) -> Pair:  # noqa: D102
        columns = self.module.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = self.module.argsort(-self.take(scores, columns), axis=1)
        columns = self.take(columns, order)
        return self.take(scores, columns), columns

    def join(self, left: Any, right: Any) -> Any:  # noqa: D102
        return self.module.concatenate([left, right], axis=1)

    def take(self, array: Any, columns: Any) -> Any:  # noqa: D102
        return self.module.take_along_axis(array, columns, axis=1)


class TorchLike:
    """Arrays of PyTorch on a device such as 'cuda'."""

    def __init__(self, torch: Any, device: str) -> None:
        self.torch, self.device = torch, device

    def put(self, host: Floats | Rows) -> Any:  # noqa: D102 - as in Arrays
        return self.torch.as_tensor(host, device=self.device)

    def get(self, array: Any) -> Any:  # noqa: D102
        return array.cpu().numpy()

    def top(self, scores: Any, k: int) -> Pair:  # noqa: D102
        values, columns = self.torch.topk(scores, k, dim=1)
        return values, columns

    def join(self, left: Any, right: Any) -> Any:  # noqa: D102
        return self.torch.cat([left, right], dim=1)

    def take(self, array: Any, columns: Any) -> Any:  # noqa: D102
        return self.torch.gather(array, 1, columns)


def numpy_arrays() -> NumpyLike:
    """Give the arrays of NumPy, on the CPU."""
    return NumpyLike(np, np.asarray)


def nearest(
    arrays: Arrays, vectors: Any, queries: Floats, k: int, metric: str, block: tuple[int, int] = (1024, 65_536)
) -> tuple[Rows, Floats]:
    """Give the (q, k) nearest rows and scores (dot product, or squared distance for L2), best first.

    `vectors` (n, dim) lie on the device, `k` <= n; at most `block` (queries, vectors) similarities are held at once.
    """
    rows, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    squares = (vectors * vectors).sum(1) if metric == "L2" else None
    for low in range(0, len(queries), block[0]):
        part = queries[low : low + block[0]]
        asked, best = arrays.put(part), None
        for start in range(0, len(vectors), block[1]):
            stop = min(start + block[1], len(vectors))
            near = asked @ vectors[start:stop].T
            if squares is not None:
                near = 2 * near - squares[start:stop]  # the query's own square changes no order
            best = _better(arrays, best, near, start, k)
        assert best is not None
        rows[low : low + len(part)], scores[low : low + len(part)] = arrays.get(best[1]), arrays.get(best[0])
    if metric == "L2":
        scores = np.maximum((queries * queries).sum(1, keepdims=True) - scores, 0)
    return rows, scores


def _better(arrays: Arrays, best: Pair | None, near: Any, start: int, k: int) -> Pair:
    """Merge a block's best, whose first column is row `start`, into the best so far."""
    values, columns = arrays.top(near, min(k, near.shape[1]))
    columns = columns + start
    if best is None:
        return values, columns
    values, columns = arrays.join(best[0], values), arrays.join(best[1], columns)
    values, order = arrays.top(values, min(k, values.shape[1]))
    return values, arrays.take(columns, order)
