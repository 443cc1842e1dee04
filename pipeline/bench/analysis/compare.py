"""Like for like: how many times the queries of B does A answer at equal recall, and where that can be told."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.bench.analysis.front import front
from pipeline.bench.analysis.settings import STALE, fresh, spread
from pipeline.core.arrays import Doubles
from pipeline.core.errors import UserError
from pipeline.core.spread import MAYBE_CHANCE

_STEPS = 60  # points of the drawn curve


@dataclass(frozen=True)
class Comparison:
    """A over B along recall."""

    curve: pl.DataFrame
    """By rising recall: recall, a and b in QPS, times (a / b), and times_low and times_high by the spreads of both."""
    low: float
    """The least recall that it is told for: what the less exact of both is fastest at."""
    high: float
    """The most recall that both reach."""
    both_from: float
    """Where the front that begins later does; below, it stays at its fastest setting, which finds more."""
    later: str
    """Which of 'a' and 'b' that is."""
    known: bool
    """Whether it is known of all settings how far their figures vary."""
    stale: tuple[str, ...]
    """Which of 'a' and 'b' searched vectors that have been replaced since."""

    @property
    def least(self) -> float:
        """Give the fewest times."""
        return float(np.min(self.curve["times"].to_numpy()))

    @property
    def most(self) -> float:
        """Give the most times."""
        return float(np.max(self.curve["times"].to_numpy()))

    @property
    def told_apart(self) -> bool:
        """Tell whether A and B differ by more than their spreads at every recall; not where one is out of date."""
        if not self.known or self.stale:
            return False
        low, high = self.curve["times_low"].to_numpy(), self.curve["times_high"].to_numpy()
        return bool(np.all((low > 1) | (high < 1)))


def at_equal_recall(a: pl.DataFrame, b: pl.DataFrame) -> Comparison:
    """Compare two tables of settings (`summarise`), all of one load, by their fronts.

    Between two settings of a front the logarithm of QPS follows recall on a straight line, which is monotone as the
    front is. Below its least recall a front stays at its fastest setting: that one finds more than is asked for.
    Above its most it is not defined. UserError where one has no settings.
    """
    stale = tuple(name for name, side in (("a", a), ("b", b)) if side.height and fresh(side).is_empty())
    fronts = [front(_current(side), by=("scenario",)) for side in (a, b)]
    if any(side.is_empty() for side in fronts):
        raise UserError("One of the two sides has no measured settings: choose others with --a and --b.")
    recalls = [side["recall"].to_numpy() for side in fronts]
    low, high = min(r[0] for r in recalls), min(r[-1] for r in recalls)
    later = "a" if recalls[0][0] > recalls[1][0] else "b"
    points = np.concatenate([*recalls, np.linspace(low, high, _STEPS)])
    at = np.unique(points[(points >= low) & (points <= high)])
    mid, least, most = ([_along(at, side, column) for side in fronts] for column in ("qps", "qps_low", "qps_high"))
    curve = pl.DataFrame(
        {
            "recall": at,
            "a": mid[0],
            "b": mid[1],
            "times": mid[0] / mid[1],
            "times_low": least[0] / most[1],
            "times_high": most[0] / least[1],
        }
    )
    known = all(spread(row, "qps").known for side in fronts for row in side.iter_rows(named=True))
    return Comparison(curve, float(low), float(high), float(max(r[0] for r in recalls)), later, known, stale)


def _current(side: pl.DataFrame) -> pl.DataFrame:
    """Keep what is not out of date; where all of it is, take it as it was measured, and `stale` says so."""
    return side if fresh(side).height else side.with_columns(pl.lit(False).alias(STALE))


def _along(at: Doubles, side: pl.DataFrame, column: str) -> Doubles:
    """Interpolate a front, log QPS over recall; np.interp keeps the first value to the left of it."""
    return np.asarray(np.exp(np.interp(at, side["recall"].to_numpy(), np.log(side[column].to_numpy()))))


def claim(found: Comparison, a: str, b: str) -> str:
    """Say how many times the queries of B A answers, and whether that may be chance."""
    told = _times(found, a, b)
    return told if found.told_apart or found.stale else f"{told}, which {MAYBE_CHANCE}"


def _times(found: Comparison, a: str, b: str) -> str:
    least, most = f"{found.least:.2g}", f"{found.most:.2g}"
    times = least if least == most else f"{least} to {most}"
    return f"{a} answers {times} times the queries of {b} at equal recall"


def sentence(found: Comparison, a: str, b: str) -> str:
    """Say a comparison in words."""
    recall = f"{found.low:.3f} to {found.high:.3f}" if found.high > found.low else f"{found.low:.3f}"
    parts = [f"{_times(found, a, b)}, {recall}"]
    if found.both_from > found.low:
        name = a if found.later == "a" else b
        parts.append(
            f"below recall {found.both_from:.3f}, {name} keeps its fastest setting, which finds more than that"
        )
    for name, side in (("a", a), ("b", b)):
        if name in found.stale:
            parts.append(f"{side} is out of date: the vectors that it searched have been replaced since")
    if not found.known:
        parts.append(f"this {MAYBE_CHANCE}, as one measurement does not show how much it varies; three repeats would")
    elif not found.told_apart and not found.stale:
        parts.append("no difference is claimed where their spreads overlap")
    return "; ".join(parts) + "."
