"""The nearest of some candidates whose scores are known up to rounding: only what rounding could turn is looked at."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.arrays import Doubles, Floats, Rows
from pipeline.search.exact.distance import between
from pipeline.search.exact.screen import Screen, ScreenedQueries

_EQUAL = 1e-7  # of a distance: nobody minds which of such neighbours comes first
_ROUGH = 1e-4  # of a distance: what is not known better is computed
_AT_ONCE = 2**20  # numbers


@dataclass(frozen=True)
class Candidates:
    """Candidates of some queries (q, dim): scores and rows (q, c), best first, and the slack (n) of every vector."""

    screen: Screen
    queries: Floats
    asked: ScreenedQueries
    scores: Any
    rows: Rows
    slack: Doubles

    def nearest(self, k: int) -> tuple[Rows, Doubles, Any]:
        """Give rows and distances (q, k), ascending, and for which queries (q) nothing that was left out is nearer.

        A cut is a place behind which all distances are greater for certain. What lies between two cuts that are not
        next to each other is computed in float64, as far as the first cut behind `k`.
        """
        whole = self.rows.shape[1] == len(self.slack)
        slack = self.slack[self.rows]
        low = self.asked.offset[:, None] - (self.scores + self.asked.slack[:, None]) * self.asked.factor[:, None]
        width = (2 * self.asked.slack[:, None] + slack) * self.asked.factor[:, None]
        far = low + width / 2
        behind = np.full(low.shape, whole)
        behind[:, :-1] = np.maximum.accumulate(low + width, axis=1)[:, :-1] < low[:, 1:]
        before = np.roll(behind, 1, axis=1)
        before[:, 0] = True
        cut = behind[:, k - 1 :].any(1)
        end = np.where(cut, k - 1 + behind[:, k - 1 :].argmax(1), far.shape[1] - 1)
        unsure = ~(behind & before)
        if self.screen.metric != "IP":
            unsure |= width > _ROUGH * np.abs(far)
        at = np.nonzero(unsure & (np.arange(far.shape[1]) <= end[:, None]))
        far[at] = self._computed(*at)
        rows = self.rows
        if (turned := np.flatnonzero((np.diff(far, axis=1) < 0).any(1))).size:
            order = np.lexsort((rows[turned], far[turned]), axis=1)
            rows, far[turned] = rows.copy(), np.take_along_axis(far[turned], order, axis=1)
            rows[turned] = np.take_along_axis(rows[turned], order, axis=1)
        return rows[:, :k], far[:, :k], cut | (far[:, k - 1] <= self._left_out(low, slack, far[:, k - 1]))

    def _left_out(self, low: Doubles, slack: Doubles, kth: Doubles) -> Doubles:
        """Give the distance (q) that nothing beyond the candidates is below, and what as good as equals it."""
        if self.screen.metric == "IP":
            spread = slack.max(1) / (2 * self.screen.gamma(self.scores.dtype.name)) * self.asked.factor
            return low[:, -1] + _EQUAL * spread
        return np.maximum(low[:, -1], 0) + _EQUAL * kth + (1e-30 if self.screen.metric == "COSINE" else 0)

    def _computed(self, queries: Rows, places: Rows) -> Doubles:
        """Compute the distances (p) of candidates at these places."""
        found, step = np.empty(len(queries), np.float64), max(1, _AT_ONCE // self.queries.shape[1])
        arrays, vectors = self.screen.arrays, self.screen.vectors
        for start in range(0, len(queries), step):
            at = queries[start : start + step], places[start : start + step]
            near = arrays.get(vectors[arrays.put(self.rows[at])])
            found[start : start + step] = between(np.asarray(near), self.queries[at[0]], self.screen.metric)
        return found
