"""Bootstrap: how far a mean may be off, by drawing the sessions anew; the examples of one session belong together."""

import numpy as np
import numpy.typing as npt

from pipeline.core.arrays import Doubles, Ints

RESAMPLES = 1000
SEED = 42
_HELD = 20_000_000  # draws held at once: 160 MB
Means = Doubles


def resample(values: npt.NDArray[np.generic], sessions: Ints, count: int = RESAMPLES, seed: int = SEED) -> Means:
    """Draw whole sessions with replacement, `count` times; give the (count, m) means of their examples' values.

    values: (n, m); sessions: (n,) any number of each example's session, those of one session in a row. The draws depend
    on the seed and the number of sessions alone: two models on the same examples are resampled alike, so the
    difference of their means, resample by resample, is the paired one (Efron, An introduction to the bootstrap, 1993).
    """
    starts = np.flatnonzero(np.diff(sessions, prepend=sessions[:1] - 1))
    sums = np.add.reduceat(values.astype(np.float64), starts, axis=0)
    lengths = np.diff(starts, append=len(sessions)).astype(np.float64)
    random = np.random.default_rng(seed)
    size = len(starts)
    means = np.empty((count, values.shape[1]))
    for low in range(0, count, block := max(1, _HELD // size)):
        some = min(block, count - low)
        drawn = random.integers(size, size=(some, size)) + np.arange(some)[:, None] * size
        times = np.bincount(drawn.ravel(), minlength=some * size).reshape(some, size).astype(np.float64)
        means[low : low + some] = (times @ sums) / (times @ lengths)[:, None]
    return means


def interval(means: Means) -> tuple[float, float]:
    """Give the 95 % percentile interval of resampled means (count,)."""
    low, high = np.percentile(means, [2.5, 97.5])
    return round(float(low), 6), round(float(high), 6)
