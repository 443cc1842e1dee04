"""How far a measured figure may be off, and whether figures may be called different."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.arrays import Doubles

MAYBE_CHANCE = "may be chance"
_RESAMPLES, _SEED = 1000, 42
_RUNS = 4  # of neighbouring slices that make up a time as long as all
_ENDS = (2.5, 97.5)  # percentiles: 95 %
_SLICES = 20  # of what was measured one after the other
_FEWEST = 2  # of which a spread can be told


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


def of_slices(values: Sequence[float]) -> Spread:
    """Give the mean of what slices of equal time counted, in order, with its 95 % interval as they are drawn anew.

    ValueError for no slice and for what is no number. Of one slice the interval is unknown.
    """
    known = _numbers(values)
    ends = [np.percentile(times @ known / times.sum(axis=1), _ENDS) for times in _draws(len(known))]
    return _around(float(np.mean(known)), ends, len(known))


def percentile_of_slices(values: Doubles, counts: Doubles, percent: float) -> Spread:
    """Give a percentile of what all slices saw, with its 95 % interval as they are drawn anew.

    values: (v,) rising; counts: (slices, v) how often each slice saw a value. ValueError where none saw any.
    """
    if not counts.sum() or not np.all(np.isfinite(values)):
        raise ValueError("there is no slice that saw a number")
    ends = []
    for times in _draws(len(counts)):
        running = np.cumsum(times @ counts, axis=1)
        found = [values[_reached(row, percent)] for row in running if row[-1] > 0]
        ends.append(np.percentile(found, _ENDS))
    value = float(values[_reached(np.cumsum(counts.sum(axis=0)), percent)])
    return _around(value, ends, len(counts))


def median_in_order(values: Sequence[float]) -> Spread:
    """Give the median of values (n) in the order they were measured in, neighbours of which make up a slice."""
    known = np.asarray(values, np.float64)
    rising, place = np.unique(known, return_inverse=True)
    many = min(_SLICES, len(known) // _FEWEST) or 1
    counts = np.zeros((many, len(rising)))
    np.add.at(counts, (np.arange(len(known)) * many // max(1, len(known)), place), 1)
    found = percentile_of_slices(rising, counts, 50)
    return _around(float(np.median(known)), [np.array([found.low, found.high])], found.count)


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


def _numbers(values: Sequence[float]) -> Doubles:
    known = np.asarray(values, np.float64)
    if not len(known) or not np.all(np.isfinite(known)):
        raise ValueError(f"a figure's spread is of one number or more: {list(values)[:5]}")
    return known


def _draws(count: int) -> Iterator[Doubles]:
    """Give how often each of `count` slices is drawn, (resamples, count): one by one, and in runs of neighbours.

    A machine that is busy for a while slows neighbouring slices alike; drawn one by one they would seem to vary less
    than they do (the circular block bootstrap: Politis and Romano, 1992).
    """
    random, each = np.random.default_rng(_SEED), np.full(count, 1 / count)
    yield random.multinomial(count, each, size=_RESAMPLES).astype(np.float64)
    length = max(1, count // _RUNS)
    starts = random.multinomial(count // length, each, size=_RESAMPLES).astype(np.float64)
    yield np.sum([np.roll(starts, shift, axis=1) for shift in range(length)], axis=0)


def _reached(running: Doubles, percent: float) -> int:
    """Find the first of running counts (v,) that reaches a share of all."""
    return int(np.searchsorted(running, running[-1] * percent / 100 * (1 - 1e-12)))


def _around(value: float, ends: Sequence[Doubles], count: int) -> Spread:
    """Take the widest of several intervals, and the value within it."""
    low, high = (pick([float(pair[n]) for pair in ends]) for n, pick in enumerate((min, max)))
    return Spread(value, min(low, value), max(high, value), count)
