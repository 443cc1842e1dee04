"""What is dropped of a log before it is split, step by step, and what is left after each.

Clicks come sorted by session and time, so that a session is a run of rows: no window is needed, and of a click only
session, time and the row of its item are held, 20 bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.arrays import Flags, Ints
from pipeline.core.columns import ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.sessions.config import PreprocessConfig

CODE = "item"  # the row of a click's item in the table of items


@dataclass(frozen=True)
class Step:
    """A step of the report: what was dropped, and what is left after it."""

    name: str
    why: str
    clicks: int
    sessions: int
    items: int


@dataclass(frozen=True, eq=False)
class Kept:
    """Clicks in whole sessions."""

    clicks: pl.DataFrame
    """session_id, timestamp, item (uint32 row of the items); ordered by session and time."""
    lengths: Ints
    """(sessions,) clicks of each, none of them 0."""

    @staticmethod
    def of(clicks: pl.LazyFrame, items: pl.DataFrame) -> "Kept":
        """Read canonical clicks; each is on one of `items`."""
        rows = items.with_row_index(CODE).select(ITEM_ID, CODE).lazy()
        found = (
            clicks.select(SESSION_ID, TIMESTAMP, ITEM_ID)
            .join(rows, on=ITEM_ID, how="inner", maintain_order="left")
            .drop(ITEM_ID)
            .collect(engine="streaming")
        )
        return Kept(found, found[SESSION_ID].rle().struct.field("len").to_numpy().astype(np.int64))

    @property
    def codes(self) -> Ints:
        """Give the item (row) of each click."""
        return self.clicks[CODE].to_numpy()

    @property
    def ends(self) -> pl.Series:
        """Give the time of each session's last click."""
        return self.clicks[TIMESTAMP].gather(np.cumsum(self.lengths) - 1)

    def of_sessions(self, wanted: Flags) -> "Kept":
        """Keep some of the sessions."""
        if wanted.all():
            return self
        return Kept(self.clicks.filter(pl.Series(np.repeat(wanted, self.lengths))), self.lengths[wanted])

    def of_clicks(self, wanted: Flags) -> "Kept":
        """Keep some of the clicks, and the sessions that have any."""
        if wanted.all() or not len(wanted):
            return self
        lengths = np.add.reduceat(wanted.astype(np.int64), np.cumsum(self.lengths) - self.lengths)
        return Kept(self.clicks.filter(pl.Series(wanted)), lengths[lengths > 0])

    def step(self, name: str, why: str) -> Step:
        """Report what is here after a step."""
        items = int((np.bincount(self.codes) > 0).sum()) if len(self.lengths) else 0
        return Step(name, why, self.clicks.height, len(self.lengths), items)


def _last_days(kept: Kept, days: int, share: float) -> Kept:
    ends = kept.ends
    return kept.of_sessions((ends >= ends.max() - timedelta(days=days)).to_numpy())  # type: ignore[operator]


def _max_session_length(kept: Kept, most: int, share: float) -> Kept:
    return kept.of_sessions(kept.lengths <= most)


def _collapse_repeats(kept: Kept, yes: bool, share: float) -> Kept:
    codes = kept.codes
    first = np.zeros(len(codes), np.bool_)
    first[np.cumsum(kept.lengths) - kept.lengths] = True
    first[1:] |= codes[1:] != codes[:-1]
    return kept.of_clicks(first)


def _min_item_count(kept: Kept, fewest: int, share: float) -> Kept:
    codes = kept.codes
    return kept.of_clicks((np.bincount(codes) / share >= fewest)[codes])


def _min_session_length(kept: Kept, fewest: int, share: float) -> Kept:
    return kept.of_sessions(kept.lengths >= fewest)


_Drop = Callable[[Kept, Any, float], Kept]
STEPS: dict[str, tuple[_Drop, str]] = {
    "last_days": (_last_days, "Sessions that ended before the last {:,} days"),
    "max_session_length": (_max_session_length, "Sessions of more than {:,} clicks"),
    "collapse_repeats": (_collapse_repeats, "Clicks on the item that was clicked just before"),
    "min_item_count": (_min_item_count, "Items with fewer than {:,} clicks"),
    "min_session_length": (_min_session_length, "Sessions of fewer than {:,} clicks"),
}
"""By the option that asks for it, in the order in which they are taken."""


def drop(kept: Kept, config: PreprocessConfig, share: float = 1.0) -> tuple[Kept, list[Step]]:
    """Take the steps that `config` asks for; give what is left, and the report.

    `share`: the part of all sessions that is here, 0 to 1, where it is a sample: an item's clicks are counted by it.
    """
    steps = [kept.step("read", "Everything that was read")]
    for name, (taken, why) in STEPS.items():
        value = getattr(config, name)
        usual = PreprocessConfig.model_fields[name].default
        if (value != usual or name == "min_session_length") and len(kept.lengths):
            kept = taken(kept, value, share)
            steps.append(kept.step(name, why.format(value)))
    return kept, steps
