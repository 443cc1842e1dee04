"""Exact nearest neighbours block by block on any array module: NumPy, CuPy or PyTorch."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from pipeline.core.arrays import Doubles, Floats, Rows
from pipeline.core.progress import Progress, silent
from pipeline.search.exact.candidates import Candidates
from pipeline.search.exact.distance import between, scores
from pipeline.search.exact.screen import Screen
from pipeline.search.exact.selection import largest

_MORE = 16  # candidates beyond k: one of them almost always stands apart from the next
_PREPARED = 2**24  # numbers of vectors that are made ready at once
_FINISHED = 1024  # queries whose candidates are put in order at once
_COMPARED = 2**21  # numbers
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

    def cast(self, array: Any, dtype: str) -> Any:
        """Turn an array of the device to float32 or float64."""

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

    def cast(self, array: Any, dtype: str) -> Any:  # noqa: D102
        return array.astype(dtype)

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

    def cast(self, array: Any, dtype: str) -> Any:  # noqa: D102
        return array.to(getattr(self.torch, dtype))

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
) -> tuple[Rows, Doubles]:
    """Give the (q, k) nearest rows and scores (dot product, cosine, or squared distance for L2), best first.

    They are those of a comparison in float64 of the float32 values as stored. `vectors` (n, dim) lie on the device, or
    in a mapped file for NumPy; `k` <= n. At most `block` (queries, vectors) scores are held at once, for each core
    of a CPU. UserError where a number is not finite.
    """
    rows, far = ExactSearch(arrays, vectors, metric).nearest(queries, k, block, progress)
    return rows, scores(far, metric)


class ExactSearch:
    """Exact search of vectors (n, dim) on a device; those that `stay` are made ready once for many searches."""

    def __init__(self, arrays: Arrays, vectors: Any, metric: str, stay: bool = False) -> None:
        self.arrays, self.vectors, self.stay = arrays, vectors, stay
        self.screen = Screen(arrays, vectors, metric)
        self._held: dict[tuple[int, int, str], tuple[Any, Doubles]] = {}

    def nearest(
        self, queries: Floats, k: int, block: tuple[int, int] | None = None, progress: Progress = silent
    ) -> tuple[Rows, Doubles]:
        """Give rows and distances as `distance.py` has them, each (q, k), ascending.

        All are screened in float32, those that its rounding leaves undecided in float64, and what is undecided even
        then – nearer to each other than float64 tells apart in a product – is compared number by number.
        """
        rows, far = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float64)
        left = np.arange(len(queries))
        for dtype in ("float32", "float64"):
            settled = self._screened(queries, left, (rows, far), dtype, block or self.arrays.block, progress)
            left = left[~settled]
            if not left.size:
                return rows, far
        self.arrays.each(lambda n: self._compared(queries, left[n], (rows, far)), range(len(left)))
        return rows, far

    def _screened(
        self, queries: Floats, left: Rows, found: Pair, dtype: str, block: tuple[int, int], progress: Progress
    ) -> Any:
        """Fill in what is found for the queries that are `left`; tell which of them (l) are settled."""
        rows, far = found
        (high, wide), (n, dim) = block, self.vectors.shape
        wide = max(1, min(wide, _PREPARED // dim))
        asked = self.screen.asked(queries[left], dtype)
        kept, slack = min(rows.shape[1] + _MORE, n), np.empty(n, np.float64)
        best: dict[int, Pair] = {}
        for start in range(0, n, wide):
            matrix, slack[start : start + wide] = self._block(start, min(start + wide, n), dtype)

            def find(low: int, start: int = start, matrix: Any = matrix) -> None:
                near = self.screen.product(self.arrays.put(asked.matrix[low : low + high]), matrix)
                best[low] = _better(self.arrays, best.get(low), near, start, kept)
                done = start * len(left) + min(low + high, len(left)) * min(wide, n - start)
                progress(done, n * len(left), "comparing every query with every vector")

            self.arrays.each(find, range(0, len(left), high))
        kept_scores, kept_rows = (
            np.concatenate([self.arrays.get(best[low][i]) for low in sorted(best)]) for i in (0, 1)
        )
        settled = np.empty(len(left), bool)

        def finish(low: int) -> None:
            at = slice(low, low + _FINISHED)
            candidates = Candidates(
                self.screen, queries[left[at]], asked.part(at), kept_scores[at], kept_rows[at], slack
            )
            rows[left[at]], far[left[at]], settled[at] = candidates.nearest(rows.shape[1])

        self.arrays.each(finish, range(0, len(left), _FINISHED))
        return settled & asked.usable

    def _block(self, low: int, high: int, dtype: str) -> tuple[Any, Doubles]:
        key = (low, high, dtype)
        if key in self._held:
            return self._held[key]
        made = self.screen.block(low, high, dtype)
        if self.stay and dtype == "float32":
            self._held[key] = made
        return made

    def _compared(self, queries: Floats, row: int, found: Pair) -> None:
        """Compare a query with all vectors number by number."""
        (rows, far), (n, dim) = found, self.vectors.shape
        asked, metric, step = queries[row : row + 1], self.screen.metric, max(1, _COMPARED // dim)
        blocks = (self.arrays.get(self.vectors[low : low + step]) for low in range(0, n, step))
        every = np.concatenate([between(block, asked, metric) for block in blocks])
        best = np.argpartition(every, rows.shape[1] - 1)[: rows.shape[1]]
        rows[row] = best[np.lexsort((best, every[best]))]
        far[row] = every[rows[row]]


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
