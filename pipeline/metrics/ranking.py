"""How good a ranking is: the next click of each revealed session, ranked over the catalogue of training."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

import numpy as np
import numpy.typing as npt

from pipeline.core.arrays import Doubles, Floats, Ints
from pipeline.core.progress import Progress, silent
from pipeline.search.exact.selection import largest
from pipeline.sessions import sparse

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CUTOFF = 20
MISS = 2**31 - 1  # the rank of what is never found
Ranks = Doubles
_BLOCK = 2048  # examples scored at once: 2048 x 50,000 items are 400 MB of float32
Scores = Union[Floats, "csr_matrix"]
"""(n, items), higher is better. -inf, NaN and, in a sparse matrix, all but what is above 0 is no score."""
Score = Callable[[slice], Scores]


@dataclass(frozen=True)
class Ranked:
    """What a model did with each of n examples, and with the catalogue."""

    ranks: Ranks  # (n,) of the next click, from 1; MISS where it has no score or is outside the catalogue
    popularity: Floats  # (n,) mean popularity of the 20 items recommended
    coverage: float  # share of the catalogue that is recommended at all

    def measures(self) -> dict[str, Floats]:
        """Give each example's (n,) share in each measure: their means are the figures.

        recall@k is the hit rate, as there is one target; mrr@k is 1 / rank, and ndcg@20 is 1 / log2(rank + 1), one item
        being relevant; both are 0 beyond the cutoff. popularity@20 is as session-rec defines it: an item's clicks in
        training over those of the most clicked one, as the mean of what is recommended.
        """
        recall = {f"recall@{k}": self.ranks <= k for k in (5, 10, CUTOFF)}
        mrr = {f"mrr@{k}": np.where(self.ranks <= k, 1 / self.ranks, 0) for k in (10, CUTOFF)}
        ndcg = np.where(self.ranks <= CUTOFF, 1 / np.log2(self.ranks + 1.0), 0)
        found = recall | mrr | {f"ndcg@{CUTOFF}": ndcg, f"popularity@{CUTOFF}": self.popularity}
        return {name: values.astype(np.float32) for name, values in found.items()}

    def figures(self) -> dict[str, float]:
        """Average over the examples; with coverage@20 and the number of examples."""
        means = {name: _mean(values) for name, values in self.measures().items()}
        return means | {f"coverage@{CUTOFF}": round(self.coverage, 6), "examples": len(self.ranks)}


def ranking_figures(score: Score, targets: Ints, items: int, progress: Progress = silent) -> dict[str, float]:
    """Rank each target, a column of the scores or -1 outside the catalogue; give all figures but popularity@20."""
    found = rank_all(score, targets, np.zeros(items, np.float32), progress).figures()
    return {name: value for name, value in found.items() if not name.startswith("popularity")}


def rank_all(score: Score, targets: Ints, popularity: Floats, progress: Progress = silent) -> Ranked:
    """Rank each target, a column of the scores or -1 outside the catalogue; `popularity` (items,) is 1 at most."""
    ranks, mean = np.empty(len(targets)), np.zeros(len(targets), np.float32)
    shown = np.zeros(len(popularity), bool)
    for block in _blocks(len(targets)):
        progress(block.start, len(targets), "ranking the next clicks")
        scores = score(block)
        ranks[block] = rank(scores, targets[block])
        best = top(scores, CUTOFF)
        there = best >= 0
        mean[block] = np.where(there, popularity[best], 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        shown[best[there]] = True
    return Ranked(ranks, mean, float(shown.mean()))


def rank(scores: Scores, targets: Ints) -> Ranks:
    """Give each (n,) target's rank from 1, the mean of the places that equal scores share; MISS without a score.

    Equal scores have no order: the first of their places would make a model that scores everything alike perfect, the
    last one a model that knows little worse than drawing lots. Their mean is what lots give (Berrendorf et al., On the
    ambiguity of rank-based evaluation, 2020). NaN is no score: such a target is never found, and is ahead of nothing.
    """
    known = targets >= 0
    rows, columns = np.arange(len(targets)), np.where(known, targets, 0)
    if isinstance(scores, np.ndarray):
        own = scores[rows, columns]
        ahead = (scores > own[:, None]).sum(axis=1)
        equal = (scores == own[:, None]).sum(axis=1)
        known &= own > -np.inf
    else:
        own = np.asarray(scores[rows, columns]).ravel()
        of_row = np.repeat(rows, np.diff(scores.indptr))
        ahead = np.bincount(of_row[scores.data > own[of_row]], minlength=len(rows))
        equal = np.bincount(of_row[scores.data == own[of_row]], minlength=len(rows))
        known &= own > 0
    return np.where(known, ahead + (equal + 1) / 2, MISS)


def places(found: Ints, wanted: Ints) -> Ints:
    """Give each (n,) wanted key's place from 1 among the keys found (n, k), best first; MISS where absent or -1."""
    hit = (found == wanted[:, None]) & (wanted >= 0)[:, None]
    return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, MISS)


def top(scores: Scores, k: int) -> Ints:
    """Give the (n, k) columns of the highest scores, best first; k is the catalogue's size at most, -1 fills up.

    Of equal scores the one in the later column comes first: a catalogue begins with what is clicked most, so that a tie
    does not pass for knowledge of what is popular. What has no score is never among them.
    """
    k = min(k, scores.shape[1])
    if isinstance(scores, np.ndarray):
        return largest(scores, k, later=True)[1]
    rows, order, place = sparse.by_score(scores)
    kept = (place < k) & (scores.data[order] > 0)
    found = np.full((scores.shape[0], k), -1, np.int64)
    found[rows[kept], place[kept]] = scores.indices[order[kept]]
    return found


def _blocks(count: int) -> Iterator[slice]:
    return (slice(i, min(i + _BLOCK, count)) for i in range(0, count, _BLOCK))


def _mean(values: npt.NDArray[np.generic]) -> float:
    return round(float(values.mean(dtype=np.float64)), 6) if len(values) else 0.0
