"""Which vectors may be among the nearest, by one matrix product in float32 or float64 whose rounding has a bound.

Vectors are moved to their middle and scaled before they are rounded, and each has one column more: what its score needs
beside the product, raised by as much as rounding may have taken from it. So a score is never below the true one by more
than the query's slack, and never above it by more than that and the vector's. The bound on a dot product of n terms is
n u / (1 - n u) times the product of the lengths (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.arrays import Doubles, Floats
from pipeline.core.errors import UserError
from pipeline.search.exact.distance import directions, evenly_spaced, lengths, middle

_MORE_TERMS = 8  # beside the dimensions: rounding of vector, query, last column and sum
_SUMMED = 192  # dimensions in one product: the bound grows with them, and not with the number of products
_FARTHEST = 2.0**60  # a query's length in units of the vectors: its products stay within float32


@dataclass(frozen=True)
class ScreenedQueries:
    """Queries for a product, and how a score becomes a distance: `offset` - score * `factor`; all (q) but `matrix`."""

    matrix: Any
    """(q, dim + 1)."""
    slack: Doubles
    offset: Doubles
    factor: Doubles
    usable: Any
    """Whether a query is near enough to be compared at this precision."""

    def part(self, rows: slice) -> "ScreenedQueries":
        """Give some of the queries."""
        return ScreenedQueries(*(array[rows] for array in vars(self).values()))


class Screen:
    """Vectors on a device, ready to be compared by `metric`; UserError where one is not finite."""

    def __init__(self, arrays: Any, vectors: Any, metric: str) -> None:
        self.arrays, self.vectors, self.metric = arrays, vectors, metric
        extent = max(abs(float(vectors.max())), abs(float(vectors.min())))
        if not np.isfinite(extent):
            raise UserError("A vector holds NaN or an infinite number, which is near to nothing: mend or leave it out.")
        sample = arrays.get(evenly_spaced(vectors))
        self.centre = middle(directions(sample) if metric == "COSINE" else sample)
        self.scale = 1.0 if metric == "COSINE" or not extent else 2.0 ** -np.frexp(extent)[1]

    def gamma(self, dtype: str) -> float:
        """Bound the relative error of one product at this precision, a little above what is proved."""
        parts = 1 + self.vectors.shape[1] // _SUMMED
        terms = (min(self.vectors.shape[1], _SUMMED) + parts + _MORE_TERMS) * _unit(dtype)
        return 1.05 * terms / (1 - terms)

    def product(self, queries: Any, matrix: Any) -> Any:
        """Multiply (q, dim + 1) and (n, dim + 1) to scores (q, n), in parts whose sums are short."""
        scores = queries[:, :_SUMMED] @ matrix[:, :_SUMMED].T
        for low in range(_SUMMED, matrix.shape[1], _SUMMED):
            scores += queries[:, low : low + _SUMMED] @ matrix[:, low : low + _SUMMED].T
        return scores

    def block(self, low: int, high: int, dtype: str) -> tuple[Any, Doubles]:
        """Give the matrix (n, dim + 1) of some vectors, on the device, and each one's slack (n)."""
        arrays, gamma = self.arrays, self.gamma(dtype)
        wide, undirected = arrays.cast(self.vectors[low:high], "float64"), 0.0
        if self.metric == "COSINE":
            long = (wide * wide).sum(1) ** 0.5
            undirected = arrays.cast(long == 0, "float64")
            wide = wide / (long + undirected)[:, None]
        wide = (wide - arrays.put(self.centre)) * self.scale
        squares = (wide * wide).sum(1)
        if self.metric == "IP":
            raised = gamma * squares**0.5
            last = raised
        else:
            raised = 2 * gamma * (squares + undirected) + 4 * self._turned * squares**0.5
            last = raised - squares - undirected
        return arrays.join(arrays.cast(wide, dtype), arrays.cast(last, dtype)[:, None]), arrays.get(2 * raised)

    def asked(self, queries: Floats, dtype: str) -> ScreenedQueries:
        """Make queries (q, dim) ready."""
        gamma, tiny = self.gamma(dtype), 4 * self.vectors.shape[1] * float(np.finfo(dtype).tiny)
        if self.metric == "IP":
            powers = 2.0 ** np.frexp(lengths(queries))[1]
            wide = queries / powers[:, None]
            usable, last, slack = np.full(len(queries), True), 1.0, np.full(len(queries), tiny)
            offset, factor = -(queries.astype(np.float64) @ self.centre), powers / self.scale
        else:
            asked = directions(queries) if self.metric == "COSINE" else queries
            wide = (asked - self.centre) * self.scale
            long = lengths(wide)
            usable, last = long < (_FARTHEST if dtype == "float32" else np.inf), 0.5
            slack = gamma * long**2 + 4 * self._turned * long + tiny
            factor = np.full(len(queries), 0.5 if self.metric == "COSINE" else self.scale**-2)
            offset = long**2 * factor
        matrix = np.column_stack([wide, np.full(len(wide), last)]) / last
        matrix = np.where(usable[:, None], matrix, 0).astype(dtype)
        return ScreenedQueries(matrix, slack, offset, factor, usable)

    @property
    def _turned(self) -> float:
        """Bound by how much rounding in float64 moved a vector that was scaled to length one."""
        return (self.vectors.shape[1] + 4) * _unit("float64") if self.metric == "COSINE" else 0.0


def _unit(dtype: str) -> float:
    return float(np.finfo(dtype).eps) / 2
