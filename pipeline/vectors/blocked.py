"""Exact nearest neighbours block by block on any array module: NumPy, CuPy or PyTorch."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from pipeline.progress import Progress, silent
from pipeline.vectors.memory import Floats, Rows, unit
from pipeline.vectors.selection import largest

_TINY = 1e-24
Pair = tuple[Any, Any]  # values (q, k) and columns (q, k), on the device


class Arrays(Protocol):
    """The few operations that differ between array modules."""

    block: tuple[int, int]
    """(queries, vectors) whose similarities are held at once."""

    def each(self, work: Callable[[int], None], starts: Iterable[int]) -> None:
        """Do the work of every block of queries."""

    def put(self, host: Floats | Rows) -> Any:
        """Copy a numpy array to the device."""

    def get(self, array: Any) -> Any:
        """Copy an array of the device to numpy."""

    def top(self, scores: Any, k: int, floor: Any = None) -> Pair:
        """Give the `k` greatest of each row, descending, and their columns; those not above `floor` (q) may lack."""

    def join(self, left: Any, right: Any) -> Any:
        """Put two arrays beside each other."""

    def take(self, array: Any, columns: Any) -> Any:
        """Pick columns (q, k) out of each row."""


class OneByOne:
    """Blocks of queries one after the other, for a device that is busy with one."""

    block = (1024, 65_536)

    def each(self, work: Callable[[int], None], starts: Iterable[int]) -> None:  # noqa: D102 - as in Arrays
        for start in starts:
            work(start)


class NumpyLike(OneByOne):
    """Arrays of CuPy, or of another module that has NumPy's functions; `to_host` copies back."""

    def __init__(self, module: Any, to_host: Callable[[Any], Any]) -> None:
        self.module, self.get = module, to_host

    def put(self, host: Floats | Rows) -> Any:  # noqa: D102 - as in Arrays
        return self.module.asarray(host)

    def top(self, scores: Any, k: int, floor: Any = None) -> Pair:  # noqa: D102
        columns = self.module.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = self.module.argsort(-self.take(scores, columns), axis=1)
        columns = self.take(columns, order)
        return self.take(scores, columns), columns

    def join(self, left: Any, right: Any) -> Any:  # noqa: D102
        return self.module.concatenate([left, right], axis=1)

    def take(self, array: Any, columns: Any) -> Any:  # noqa: D102
        return self.module.take_along_axis(array, columns, axis=1)


class Numpy(NumpyLike):
    """Arrays of NumPy: a block of queries for each core, small enough for its cache."""

    block = (64, 65_536)

    def __init__(self) -> None:
        super().__init__(np, np.asarray)

    def each(self, work: Callable[[int], None], starts: Iterable[int]) -> None:  # noqa: D102
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as cores:
            list(cores.map(work, starts))  # raises what they raise

    def top(self, scores: Any, k: int, floor: Any = None) -> Pair:  # noqa: D102
        return largest(scores, k, floor)


class TorchLike(OneByOne):
    """Arrays of PyTorch on a device such as 'cuda'."""

    def __init__(self, torch: Any, device: str) -> None:
        self.torch, self.device = torch, device

    def put(self, host: Floats | Rows) -> Any:  # noqa: D102 - as in Arrays
        return self.torch.as_tensor(host, device=self.device)

    def get(self, array: Any) -> Any:  # noqa: D102
        return array.cpu().numpy()

    def top(self, scores: Any, k: int, floor: Any = None) -> Pair:  # noqa: D102
        values, columns = self.torch.topk(scores, k, dim=1)
        return values, columns

    def join(self, left: Any, right: Any) -> Any:  # noqa: D102
        return self.torch.cat([left, right], dim=1)

    def take(self, array: Any, columns: Any) -> Any:  # noqa: D102
        return self.torch.gather(array, 1, columns)


def numpy_arrays() -> Numpy:
    """Give the arrays of NumPy, on the CPU."""
    return Numpy()


def nearest(
    arrays: Arrays,
    vectors: Any,
    queries: Floats,
    k: int,
    metric: str,
    block: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> tuple[Rows, Floats]:
    """Give the (q, k) nearest rows and scores (dot product, cosine, or squared distance for L2), best first.

    `vectors` (n, dim) lie on the device, or in a mapped file for NumPy; `k` <= n. At most `block` (queries, vectors)
    similarities are held at once, on the CPU for each core.
    """
    high, wide = block or arrays.block
    rows, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    asked_for = unit(queries) if metric == "COSINE" else 2 * queries if metric == "L2" else queries
    starts = range(0, len(vectors), wide)
    squares: list[Any] = [_squares(vectors[low : low + wide]) if metric != "IP" else None for low in starts]

    def find(low: int) -> None:
        part = np.ascontiguousarray(asked_for[low : low + high])
        asked, best = arrays.put(part), None
        for start, square in zip(starts, squares, strict=True):
            near = asked @ vectors[start : start + wide].T
            if metric == "L2":
                near -= square  # 2 q v - v²: the query's own square changes no order
            elif metric == "COSINE":
                near /= (square + _TINY) ** 0.5  # a row of zeros is as near to everything
            best = _better(arrays, best, near, start, k)
        assert best is not None
        rows[low : low + len(part)], scores[low : low + len(part)] = arrays.get(best[1]), arrays.get(best[0])
        progress(min(low + high, len(queries)), len(queries), "comparing every query with every vector")

    arrays.each(find, range(0, len(queries), high))
    if metric == "L2":
        scores = np.maximum((queries * queries).sum(1, keepdims=True) - scores, 0)
    return rows, scores


def _squares(vectors: Any) -> Any:
    return (vectors * vectors).sum(1)


def _better(arrays: Arrays, best: Pair | None, near: Any, start: int, k: int) -> Pair:
    """Merge a block's best, whose first column is row `start`, into the best so far."""
    floor = best[0][:, -1] if best is not None and best[0].shape[1] == k else None
    values, columns = arrays.top(near, min(k, near.shape[1]), floor)
    columns = columns + start
    if best is None:
        return values, columns
    values, columns = arrays.join(best[0], values), arrays.join(best[1], columns)
    values, order = arrays.top(values, min(k, values.shape[1]))
    return values, arrays.take(columns, order)
