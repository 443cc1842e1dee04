"""How far a measured figure may be off, and whether figures may be called different."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAYBE_CHANCE = "may be chance"
_RESAMPLES, _SEED = 1000, 42
_ENDS = (2.5, 97.5)  # percentiles: 95 %
_SLICES = 20  # of what was measured one after the other
_FEWEST = 2  # of which a spread can be told

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """A figure with the interval that it lies in."""

    value: float
    low: float
    high: float
    count: int
    """Of the repeats, or of the slices of one run's time, that the interval is of; of one alone nothing is known."""

    @property
    def known(self) -> bool:
        """Tell whether it is known how far the figure varies."""
        return self.count >= _FEWEST


def kept(value: float, low: float | None, high: float | None) -> Spread:
    """Take an interval as it was kept with its figure; nothing is known of it where an end is None."""
    if low is None or high is None:
        return Spread(value, value, value, 1)
    return Spread(value, low, high, _FEWEST)


def of_repeats(values: Sequence[float]) -> Spread:
    """Give the median of repeats, from the least to the most; ValueError for none and for what is no number."""
    known = _numbers(values)
    return Spread(float(np.median(known)), float(known[0]), float(known[-1]), len(known))


def of_slices(values: Sequence[float]) -> Spread:
    """Give the mean of what slices of equal time counted, with its 95 % interval as they are drawn anew (bootstrap).

    ValueError for no slice and for what is no number. Of one slice the interval is unknown.
    """
    known = _numbers(values)
    low, high = np.percentile(_times(len(known)) @ known / len(known), _ENDS)
    return _around(float(np.mean(known)), float(low), float(high), len(known))


def percentile_of_slices(values: Array, counts: Array, percent: float) -> Spread:
    """Give a percentile of what all slices saw, with its 95 % interval as they are drawn anew.

    values: (v,) rising; counts: (slices, v) how often each slice saw a value. ValueError where none saw any.
    """
    if not counts.sum() or not np.all(np.isfinite(values)):
        raise ValueError("there is no slice that saw a number")
    drawn = np.cumsum(_times(len(counts)) @ counts, axis=1)
    drawn = drawn[drawn[:, -1] > 0]
    ends = np.percentile([values[_reached(row, percent)] for row in drawn], _ENDS)
    value = float(values[_reached(np.cumsum(counts.sum(axis=0)), percent)])
    return _around(value, float(ends[0]), float(ends[1]), len(counts))


def median_in_order(values: Sequence[float]) -> Spread:
    """Give the median of values (n) in the order they were measured in, neighbours of which make up a slice."""
    known = np.asarray(values, np.float64)
    rising, place = np.unique(known, return_inverse=True)
    many = min(_SLICES, len(known) // _FEWEST) or 1
    counts = np.zeros((many, len(rising)))
    np.add.at(counts, (np.arange(len(known)) * many // max(1, len(known)), place), 1)
    found = percentile_of_slices(rising, counts, 50)
    return _around(float(np.median(known)), found.low, found.high, found.count)


def differ(one: Spread, other: Spread) -> bool:
    """Tell whether the intervals of two figures do not overlap."""
    return one.low > other.high or other.low > one.high


def told_apart(first: Spread, others: Iterable[Spread], shown: Callable[[float], str] = repr) -> bool:
    """Tell whether a figure may be called another than each of the others.

    Their intervals are known and do not overlap, and they do not read alike, written as they are `shown`.
    """
    return all(
        first.known and other.known and differ(first, other) and shown(first.value) != shown(other.value)
        for other in others
    )


def _numbers(values: Sequence[float]) -> Array:
    known = np.sort(np.asarray(values, np.float64))
    if not len(known) or not np.all(np.isfinite(known)):
        raise ValueError(f"a figure's spread is of one number or more: {list(values)[:5]}")
    return known


def _times(count: int) -> Array:
    """Give how often each of `count` slices is drawn, (resamples, count): the same draws whatever they hold."""
    random = np.random.default_rng(_SEED)
    return random.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES).astype(np.float64)


def _reached(running: Array, percent: float) -> int:
    """Find the first of running counts (v,) that reaches a share of all."""
    return int(np.searchsorted(running, running[-1] * percent / 100 * (1 - 1e-12)))


def _around(value: float, low: float, high: float, count: int) -> Spread:
    return Spread(value, min(low, value), max(high, value), count)
