"""Clicks to training and test sessions: what is dropped, and the time that parts them, in bounded memory.

Clicks come sorted by session and time, so that a session is a run of rows: no window is needed, and of a click only
session, time and the row of its item are held, 20 bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from pipeline.core.arrays import Flags, Ints
from pipeline.core.columns import ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError

PARTS = ("train", "test")
TRAIN_SHARE = 0.8  # of the sessions, by the time they end, where no boundary is given
CODE = "item"  # the row of a click's item in the table of items
_SLICE = 2_000_000  # clicks that are encoded and written at once, about


@dataclass(frozen=True, eq=False)
class ClickSplit:
    """Clicks in sessions of two or more, and which of those are for testing."""

    clicks: pl.DataFrame
    """session_id, timestamp, item (uint32 row of the items); ordered by session and time."""
    lengths: Ints
    """(sessions,) clicks of each."""
    is_test: Flags
    """(sessions,)"""
    boundary: datetime

    def of(self, part: str) -> Flags:
        """Tell which sessions are of a part."""
        return self.is_test == (part == "test")

    def items(self, part: str) -> Ints:
        """Give the items (rows) of a part's clicks."""
        return self.clicks[CODE].to_numpy()[np.repeat(self.of(part), self.lengths)]

    def slices(self, part: str) -> Iterator[tuple[pl.DataFrame, Ints]]:
        """Give a part's clicks, some whole sessions at a time, with the length of each session; times in ns."""
        ends = np.cumsum(self.lengths)
        cuts = np.unique(np.searchsorted(ends, np.arange(_SLICE, ends[-1], _SLICE)))
        for low, high in zip([0, *cuts], [*cuts, len(self.lengths)], strict=True):
            wanted = self.of(part)[low:high]
            if not wanted.any():
                continue
            first, lengths = (ends[low - 1] if low else 0), self.lengths[low:high]
            some = self.clicks[int(first) : int(ends[high - 1])]
            taken = some.filter(pl.Series(np.repeat(wanted, lengths)))
            yield (
                taken.with_columns(pl.col(TIMESTAMP).dt.replace_time_zone(None).cast(pl.Datetime("ns"))),
                lengths[wanted],
            )


def split_clicks(clicks: pl.LazyFrame, items: pl.DataFrame, min_item_count: int, test_from: str | None) -> ClickSplit:
    """Keep clicks on items that are frequent enough, of sessions of two clicks or more; part them by time.

    A session is for testing when its last click is at or after the boundary.
    """
    frequent = items.with_row_index(CODE).filter(pl.col("clicks") >= min_item_count).select(ITEM_ID, CODE)
    kept = (
        clicks.select(SESSION_ID, TIMESTAMP, ITEM_ID)
        .join(frequent.lazy(), on=ITEM_ID, how="inner", maintain_order="left")
        .drop(ITEM_ID)
        .collect(engine="streaming")
    )
    lengths = kept[SESSION_ID].rle().struct.field("len").to_numpy().astype(np.int64)
    several = lengths > 1
    if several.sum() < 2:
        raise UserError(
            f"With min_item_count {min_item_count}, {several.sum()} sessions of two clicks or more are "
            "left, and a split needs at least 2: lower --min-item-count or add more clicks."
        )
    if not several.all():
        kept, lengths = kept.filter(pl.Series(np.repeat(several, lengths))), lengths[several]
    ends = kept[TIMESTAMP].gather(np.cumsum(lengths) - 1)
    boundary = split_time(ends, test_from)
    return ClickSplit(kept, lengths, (ends >= boundary).to_numpy(), boundary)


def split_time(ends: pl.Series, test_from: str | None) -> datetime:
    """Give the boundary of sessions that end then: the one asked for, or the time by which 80 % of them have ended."""
    ends = ends.sort()
    first, last = ends[0], ends[-1]
    if test_from is None:
        # The earliest end that leaves 80 % before it; where many end at once (whole days), the next later time.
        boundary = ends[min(int(TRAIN_SHARE * len(ends)), len(ends) - 1)]
        if boundary == first:
            later = ends.filter(ends > first)
            boundary = later[0] if len(later) else None
    else:
        boundary = _parse_time(test_from)
    if boundary is None or not first < boundary <= last:
        asked = f"--test-from {test_from}" if test_from else "The split by time"
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
