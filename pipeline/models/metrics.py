"""How good a ranking is: the next click of each revealed session, ranked over the catalogue of training."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from pipeline.models.sessions import Ints
from pipeline.models.tower import Floats
from pipeline.progress import Progress, silent

CUTOFF = 20
_BLOCK = 2048  # examples scored at once: 2048 x 50,000 items are 400 MB of float32
Score = Callable[[slice], Floats]  # examples -> (n, items) scores, higher is better


def evaluate(score: Score, targets: Ints, items: int, progress: Progress = silent) -> dict[str, float]:
    """Rank each target, a column of the scores or -1 outside the catalogue, and average over the examples.

    Gives recall@10, recall@20 (one target each, so the hit rate), mrr@20, ndcg@20 (one relevant item, so
    1 / log2(rank + 1)), coverage@20 (share of the catalogue that is recommended at all) and the number of examples.
    """
    ranks = np.empty(len(targets), np.int64)
    shown = np.zeros(items, bool)
    for block in _blocks(len(targets)):
        progress(block.start, len(targets), "ranking the next clicks")
        scores = score(block)
        ranks[block] = rank(scores, targets[block])
        shown[np.unique(top(scores, CUTOFF))] = True
    hit = ranks <= CUTOFF
    gain = np.where(hit, 1 / np.log2(ranks + 1.0), 0.0)
    return {
        "recall@10": _mean(ranks <= 10),
        "recall@20": _mean(hit),
        "mrr@20": _mean(np.where(hit, 1 / ranks, 0.0)),
        "ndcg@20": _mean(gain),
        "coverage@20": float(shown.mean()),
        "examples": len(targets),
    }


def rank(scores: Floats, targets: Ints) -> Ints:
    """Give each target's rank from 1; equal scores count half as in front, and a target of -1 is never found."""
    known = targets >= 0
    own = scores[np.arange(len(targets)), np.where(known, targets, 0)][:, None]
    ahead = (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) // 2
    return np.where(known, ahead + 1, np.iinfo(np.int64).max // 2)


def top(scores: Floats, k: int) -> Ints:
    """Give the (n, k) columns of the highest scores, best first; fewer where there are fewer."""
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(i, min(i + _BLOCK, count)) for i in range(0, count, _BLOCK))


def _mean(values: npt.NDArray[np.generic]) -> float:
    return round(float(values.mean()), 6) if len(values) else 0.0
