"""Sessions to training and test parts by the time they end, in bounded memory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from pipeline.core.arrays import Flags, Ints
from pipeline.core.columns import TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.dropping import Kept, Step, drop

PARTS = ("train", "test")
_SLICE = 2_000_000  # clicks that are encoded and written at once, about


@dataclass(frozen=True, eq=False)
class ClickSplit:
    """Sessions, and which of those are for testing."""

    kept: Kept
    is_test: Flags
    """(sessions,)"""
    boundary: datetime
    steps: list[Step] = field(default_factory=list)
    """What was dropped on the way."""

    def of(self, part: str) -> Flags:
        """Tell which sessions are of a part."""
        return self.is_test == (part == "test")

    def items(self, part: str) -> Ints:
        """Give the items (rows) of a part's clicks."""
        return self.kept.codes[np.repeat(self.of(part), self.kept.lengths)]

    def slices(self, part: str) -> Iterator[tuple[pl.DataFrame, Ints]]:
        """Give a part's clicks, some whole sessions at a time, with the length of each session; times in ns."""
        lengths = self.kept.lengths
        ends = np.cumsum(lengths)
        cuts = np.unique(np.searchsorted(ends, np.arange(_SLICE, ends[-1], _SLICE)))
        for low, high in zip([0, *cuts], [*cuts, len(lengths)], strict=True):
            wanted = self.of(part)[low:high]
            if not wanted.any():
                continue
            first, some = (ends[low - 1] if low else 0), lengths[low:high]
            clicks = self.kept.clicks[int(first) : int(ends[high - 1])]
            taken = clicks.filter(pl.Series(np.repeat(wanted, some)))
            times = pl.col(TIMESTAMP).dt.replace_time_zone(None).cast(pl.Datetime("ns"))
            yield taken.with_columns(times), some[wanted]


def split_clicks(clicks: pl.LazyFrame, items: pl.DataFrame, config: PreprocessConfig) -> ClickSplit:
    """Drop what `config` asks to, and part what is left by time; raise UserError where that leaves nothing."""
    return split_kept(Kept.of(clicks, items), config)


def split_kept(everything: Kept, config: PreprocessConfig, share: float = 1.0) -> ClickSplit:
    """Do what `split_clicks` does to sessions that are read; `share` of all of them, where they are a sample.

    A session is for testing when its last click is at or after the boundary.
    """
    kept, steps = drop(everything, config, share)
    if len(kept.lengths) < 2:
        raise UserError(_too_few(config, len(kept.lengths)))
    ends = kept.ends
    boundary = split_time(ends, config)
    return _latest_to_train(ClickSplit(kept, (ends >= boundary).to_numpy(), boundary, steps), config.train_share)


def _latest_to_train(split: ClickSplit, share: float) -> ClickSplit:
    """Keep that share of the training sessions which ended last, and those that ended at the same time."""
    if share == 1:
        return split
    trained = split.of("train")
    ends = split.kept.ends
    sorted_ends = ends.filter(pl.Series(trained)).sort()
    first = sorted_ends[-math.ceil(share * len(sorted_ends))]
    wanted = split.is_test | (ends >= first).to_numpy()
    kept = split.kept.of_sessions(wanted)
    step = kept.step("train_share", f"Training sessions but the last {share:.3g} of them to end")
    return ClickSplit(kept, split.is_test[wanted], split.boundary, [*split.steps, step])


def _too_few(config: PreprocessConfig, left: int) -> str:
    """Say what was asked for and what would leave more."""
    usual = PreprocessConfig()
    asked = [f"{name} {value}" for name, value in config if value != getattr(usual, name)]
    given = " and ".join(asked) or "sessions of one click dropped"
    way = "ask for less" if asked else "add more clicks"
    sessions = "session is" if left == 1 else "sessions are"
    return f"With {given}, {left} {sessions} left, and a split needs at least 2: {way}."


def split_time(ends: pl.Series, config: PreprocessConfig) -> datetime:
    """Give the boundary of sessions that end then: a time, some days before the last, or where a share of them is."""
    ends = ends.sort()
    first, last = ends[0], ends[-1]
    boundary: datetime | None
    if config.test_from is not None:
        boundary, asked = _parse_time(config.test_from), f"--test-from {config.test_from}"
    elif config.test_days:
        boundary, asked = last - timedelta(days=config.test_days), f"test_days {config.test_days}"
    else:
        # The earliest end that leaves the share to train on before it; where many end at once, the next later time.
        boundary, asked = ends[min(int((1 - config.test_share) * len(ends)), len(ends) - 1)], "The split by time"
        if boundary == first:
            later = ends.filter(ends > first)
            boundary = later[0] if len(later) else None
    if boundary is None or not first < boundary <= last:
        span = f"{first:%Y-%m-%d %H:%M:%S} and {last:%Y-%m-%d %H:%M:%S} UTC"
        raise UserError(
            f"{asked} leaves nothing to train on or nothing to test with: the sessions end between {span}; "
            "choose a time after the first and at most the last."
        )
    return boundary


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--test-from {text!r} is not an ISO time: write it like 2014-04-07T00:00:00.") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
