"""Order by softmax sampling without replacement: the best most often first, and others sometimes.

Adding Gumbel noise to scores / temperature and sorting draws from the softmax without replacement (Kool et al., ICML
2019). The noise of an item follows from seed, history and item alone, so that one request and a batch, an engine and
another, sample alike, whatever the order in which candidates come.
"""

import numpy as np
import numpy.typing as npt

from pipeline.core.arrays import Floats, Ints
from pipeline.core.errors import UserError

_GOLDEN, _FIRST, _SECOND = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def softmax_order(keys: Ints, scores: Floats, temperature: Floats, streams: npt.NDArray[np.uint64]) -> Ints:
    """Give (n, k) columns in the order that was drawn; keys (n, k) are -1 where there is no candidate, which come last.

    temperature: (n,), 0 sorts by score alone, and leaves equal scores as they stand. streams: (n,) as `streams` gives.
    Raises UserError for a score that is not finite.
    """
    there = keys >= 0
    if not np.isfinite(scores[there]).all():
        raise UserError("A candidate has a score that is not a finite number: the ranker has to be trained anew.")
    check_temperature(temperature)
    drawn = temperature[:, None] > 0
    scaled = scores.astype(np.float64) / np.where(drawn, temperature[:, None], 1.0)
    perturbed = scaled + np.where(drawn, _gumbel(keys, streams), 0.0)
    return np.argsort(np.where(there, -perturbed, np.inf), axis=1, kind="stable")


def check_temperature(temperature: Floats) -> None:
    """Raise UserError for a temperature that nothing can be drawn at."""
    wrong = ~(np.isfinite(temperature) & (temperature >= 0) & (temperature <= 1e6))
    if wrong.any():
        raise UserError(f"temperature {float(temperature[wrong][0]):g} is out of range: choose 0 to 1,000,000.")


def streams(seeds: Ints, codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Give (n,) numbers that the noise of each request follows from; codes: of the histories."""
    return _mixed(seeds.astype(np.uint64) ^ _mixed(codes))


def _gumbel(keys: Ints, of: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    bits = _mixed(of[:, None] ^ _mixed(keys.astype(np.uint64))) >> np.uint64(12)
    uniform = (bits.astype(np.float64) + 0.5) * 2.0**-52  # above 0, below 1: 53 bits would round up to 1
    return np.asarray(-np.log(-np.log(uniform)))


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix the bits of each number (SplitMix64: Steele et al., OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        state = numbers + _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
