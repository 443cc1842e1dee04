"""Like for like: how many times the queries of B does A answer at equal recall, and where that can be told."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.bench.front import front
from pipeline.errors import UserError

Floats = npt.NDArray[np.float64]
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
        """Tell whether A and B differ by more than their spreads at every recall."""
        low, high = self.curve["times_low"].to_numpy(), self.curve["times_high"].to_numpy()
        return bool(np.all((low > 1) | (high < 1)))


def at_equal_recall(a: pl.DataFrame, b: pl.DataFrame) -> Comparison:
    """Compare two tables of settings (`summarise`), all of one load, by their fronts.

    Between two settings of a front the logarithm of QPS follows recall on a straight line, which is monotone as the
    front is. Below its least recall a front stays at its fastest setting: that one finds more than is asked for.
    Above its most it is not defined. UserError where one has no settings.
    """
    fronts = [front(side, by=("scenario",)) for side in (a, b)]
    if any(side.is_empty() for side in fronts):
        raise UserError("One of the two sides has no measured settings: choose others with --a and --b.")
    recalls = [side["recall"].to_numpy() for side in fronts]
    low, high = min(r[0] for r in recalls), min(r[-1] for r in recalls)
    later = "a" if recalls[0][0] > recalls[1][0] else "b"
    known = np.concatenate([*recalls, np.linspace(low, high, _STEPS)])
    at = np.unique(known[(known >= low) & (known <= high)])
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
    return Comparison(curve, float(low), float(high), float(max(r[0] for r in recalls)), later)


def _along(at: Floats, side: pl.DataFrame, column: str) -> Floats:
    """Interpolate a front, log QPS over recall; np.interp keeps the first value to the left of it."""
    return np.asarray(np.exp(np.interp(at, side["recall"].to_numpy(), np.log(side[column].to_numpy()))))


def sentence(found: Comparison, a: str, b: str) -> str:
    """Say a comparison in words."""
    least, most = f"{found.least:.2g}", f"{found.most:.2g}"
    times = least if least == most else f"{least} to {most}"
    told = f"{a} answers {times} times the queries of {b} at equal recall, {found.low:.3f} to {found.high:.3f}"
    parts = [told]
    if found.both_from > found.low:
        name = a if found.later == "a" else b
        parts.append(f"below {found.both_from:.3f} {name} stays at its fastest setting, which finds more")
    if not found.told_apart:
        parts.append("where their spreads overlap they are not called different")
    return "; ".join(parts) + "."
