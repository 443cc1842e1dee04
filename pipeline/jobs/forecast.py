"""How much time is left: by the pace of what is done, and at first by what the same work took before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.text import duration

_PACED = 0.2  # share of the work from which on the pace alone counts
_SAME = 0.1  # of the time in all, by which an estimate may move before it is told
_FEW_S = 5.0  # below it, seconds are not counted
_LEAST_S, _MOST_S = 1.0, 1e9


@dataclass
class Forecast:
    """The time that one step takes, told as reports come; what is told rises only as 'longer than estimated'."""

    started: float
    """In any clock's seconds."""
    expected_s: float | None = None
    """What the step took before."""
    course: Sequence[float] = ()
    """The share of the time that had gone at each tenth of the work, before; empty: as the work."""
    longer: bool = False
    """Whether it takes longer than was told before."""
    _first: tuple[float, float] | None = None  # seconds and what was done, at the first report of any
    _last: tuple[float, float] = (0.0, 0.0)
    _told_s: float | None = None  # in all
    _least_s: float = _MOST_S  # told so far
    _seen: list[tuple[float, float]] = field(default_factory=list)

    def report(self, now: float, done: float, total: float) -> float | None:
        """Take a report at `now`; give the seconds left, a second or more, or None where nothing is known or left."""
        gone = max(now - self.started, 0.0)
        share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
        if not self._seen or share > self._seen[-1][1]:
            self._seen.append((gone, share))
        if done > 0 and done != self._last[1]:
            self._first = self._first or (gone, done)
            self._last = (gone, done)
        if share >= 1 or (estimated := self._estimated(gone, total, share)) is None:
            return None
        return max(self._tell(min(estimated, _MOST_S), gone) - gone, _LEAST_S)

    def travelled(self, seconds: float) -> list[float]:
        """Give the share of `seconds`, the time in all, that had gone at each tenth of the work."""
        shares = [0.0]
        for tenth in range(1, 10):
            at = next((gone for gone, share in self._seen if share >= tenth / 10), seconds)
            shares.append(min(max(at / max(seconds, 1e-9), shares[-1]), 1.0))
        return [*shares, 1.0]

    def _time_share(self, share: float) -> float:
        """Give the share of the time that went until `share` of the work was done, before; without a course 0."""
        if not self.course:
            return 0.0
        low = min(int(share * 10), 9)
        return self.course[low] + (share * 10 - low) * (self.course[low + 1] - self.course[low])

    def _estimated(self, gone: float, total: float, share: float) -> float | None:
        """Estimate the seconds in all, by the past and the pace; twice what has gone where both are over."""
        before = self._time_share(share)
        paced, expected = self._paced(total), self.expected_s
        if before and paced is not None:
            paced = _middle(self._last[0] / before, paced)
        if paced is None or expected is None:
            estimated = expected if paced is None else paced
        else:
            estimated = blended(paced, expected, max(share, before))
        return None if estimated is None else late(estimated, gone)

    def _paced(self, total: float) -> float | None:
        """Estimate the seconds in all by the pace since the first report of anything done."""
        if self._first is None:
            return None
        (since, begun), (at, done) = self._first, self._last
        return at + (at - since) / (done - begun) * max(total - done, 0.0) if done > begun else None

    def _tell(self, estimated: float, gone: float) -> float:
        """Tell a lower estimate at once, a higher one when it is clearly higher or when the time told is over."""
        told = self._told_s
        if told is not None and told < estimated <= (1 + _SAME) * told and gone < told:
            return told
        self.longer = estimated > self._least_s
        self._least_s = min(self._least_s, estimated)
        self._told_s = estimated
        return estimated


def blended(paced_s: float, expected_s: float, share: float) -> float:
    """Estimate seconds in all by the pace and by what was expected; from a fifth of the work on by the pace alone."""
    return _middle(paced_s, expected_s, min(share / _PACED, 1.0))


def late(estimated_s: float, gone_s: float) -> float:
    """Give the seconds in all that are estimated; twice what has gone, where that is clearly over."""
    return estimated_s if gone_s <= (1 + _SAME) * estimated_s else 2 * gone_s


def _middle(one_s: float, other_s: float, weight: float = 0.5) -> float:
    """Give the geometric mean of two times, the first of which counts `weight`."""
    one, other = (math.log(min(max(s, 1e-9), _MOST_S)) for s in (one_s, other_s))
    return math.exp(weight * one + (1 - weight) * other)


def time_left_words(progress: dict[str, Any], now: float) -> str:
    """Say how much time is left by a job's `progress` as it is at `now` (Unix seconds); '' where nothing is known.

    What is left falls by the clock between reports, is never 0, and where the time that was told is over says so.
    """
    left = progress.get("left_s")
    if left is None or "at" not in progress:
        return ""
    gone, rest = max(now - progress["started"], 0.0), left - max(now - progress["at"], 0.0)
    if rest < -max(_FEW_S, _SAME * gone):
        return f"longer than estimated, {duration(max(round(gone), 1))} so far"
    told = "a few seconds left" if rest < _FEW_S else f"{duration(round(rest))} left"
    told += " of this step" if progress["step"] < progress["steps"] else ""
    return f"{told}, longer than estimated" if progress["longer"] else told
