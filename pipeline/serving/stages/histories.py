"""The clicks of a batch of requests: read from flat arrays, and as the models take them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.arrays import Ints
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import UserError
from pipeline.sessions.histories import MAX_HISTORY, Histories

MOST_SESSIONS, MOST_CLICKS = 1024, 1_000_000  # of one request, in all


@dataclass(frozen=True, eq=False)
class Requests:
    """Clicks of n sessions, one after the other, oldest first: session i has values[offsets[i]:offsets[i + 1]]."""

    values: Ints  # (clicks,) item_idx
    offsets: Ints  # (n + 1,)

    def __post_init__(self) -> None:
        sessions, clicks = len(self.offsets) - 1, len(self.values)
        if not 1 <= sessions <= MOST_SESSIONS:
            raise UserError(f"{sessions:,} sessions in one request are out of range: send 1 to {MOST_SESSIONS:,}.")
        if clicks > MOST_CLICKS:
            raise UserError(f"{clicks:,} clicks in one request are too many: send at most {MOST_CLICKS:,}.")
        if self.offsets[0] != 0 or self.offsets[-1] != clicks or (np.diff(self.offsets) < 0).any():
            raise UserError(
                "The offsets of the histories do not fit their values: they begin at 0 and end at the length."
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @staticmethod
    def of(histories: list[list[int]]) -> "Requests":
        """Lay histories one after the other."""
        lengths = [len(history) for history in histories]
        values = np.array([item for history in histories for item in history], np.int64)
        return Requests(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def known(self, categories: Ints) -> "Histories":
        """Give the last clicks that a model of this catalogue knows; categories: (items,) category_idx.

        Raises UserError for a session that has none.
        """
        inside = (self.values >= FIRST_IDX) & (self.values < FIRST_IDX + len(categories))
        ends = np.concatenate([[0], np.cumsum(inside)])[self.offsets]
        empty = np.flatnonzero(np.diff(ends) == 0)
        if len(empty):
            which = f"Session {empty[0] + 1} of {len(self):,} in the request" if len(self) > 1 else "The session"
            raise UserError(f"{which} has no click on an item that was seen in training: add one.")
        items = self.values[inside]
        low = np.maximum(ends[:-1], ends[1:] - MAX_HISTORY)
        return Histories(items, categories[items - FIRST_IDX], low, ends[1:])

    def seen(self, keys: Ints) -> npt.NDArray[np.bool_]:
        """Tell which of (n, k) candidates their session has clicked, ever."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        width = int(keys.max(initial=0)) + 1
        inside = (self.values >= 0) & (self.values < width)
        clicked = np.unique(owner[inside] * width + self.values[inside])
        return (keys >= 0) & np.isin(np.arange(len(self))[:, None] * width + keys, clicked)
