"""Sessions as flat arrays: the clicks of all sessions one after the other, and where each history begins and ends."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.core.arrays import Flags, Ints
from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_IDX, SESSION_ID, TIMESTAMP

VALIDATION_SHARE = 0.1  # of the training sessions, the last to end
MAX_HISTORY = 20  # clicks that a model looks back on


@dataclass(frozen=True)
class Histories:
    """Slices of a flat list of clicks: history i is rows low[i]:end[i] of `items` and `categories`."""

    items: Ints  # (clicks,) item_idx
    categories: Ints  # (clicks,) category_idx
    low: Ints  # (n,)
    end: Ints  # (n,)

    def __len__(self) -> int:
        return len(self.end)

    def ragged(self) -> tuple[Ints, Ints]:
        """Give the rows of all histories, one after the other, and the (n + 1,) offsets at which each begins."""
        lengths = self.end - self.low
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = np.asarray(np.repeat(self.low - offsets[:-1], lengths) + np.arange(offsets[-1]), np.int64)
        return rows, offsets

    def codes(self) -> npt.NDArray[np.uint64]:
        """Give a number for each history, the same for equal ones (and for others in one of some 10^18 pairs)."""
        code = np.zeros(len(self), np.uint64)
        for ago in range(1, int((self.end - self.low).max(initial=0)) + 1):
            there = self.end - ago >= self.low
            item = self.items[(self.end - ago)[there]].astype(np.uint64)
            mixed = (code[there] ^ (item + np.uint64(1))) * np.uint64(0x9E3779B97F4A7C15)
            code[there] = mixed ^ (mixed >> np.uint64(29))
        return code

    def take(self, rows: Flags | Ints | slice) -> "Histories":
        """Keep some of the histories; the clicks are shared, not copied."""
        return Histories(self.items, self.categories, self.low[rows], self.end[rows])


def hold_out(clicks: pl.DataFrame, share: float = VALIDATION_SHARE) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split off the sessions that end last: no model is fitted on them, an epoch is chosen by them, a ranker fitted."""
    ends = clicks.group_by(SESSION_ID).agg(pl.col(TIMESTAMP).max()).sort(TIMESTAMP, SESSION_ID)
    held = max(1, int(len(ends) * share))
    late = ends[SESSION_ID][-held:].implode()
    is_late = pl.col(SESSION_ID).is_in(late)
    fitting = clicks.filter(~is_late)
    return (fitting if len(fitting) else clicks), clicks.filter(is_late)


def next_clicks(clicks: pl.DataFrame, max_history: int = MAX_HISTORY) -> tuple[Histories, Ints, Ints]:
    """Reveal each session click by click; give the histories, and the item and category of the click after each.

    Clicks on items unknown to training stay as targets (a miss for every model) and are left out of histories.
    """
    starts, items, categories = _flat(clicks)
    targets = np.flatnonzero(~starts)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(items)), 0))
    histories = _histories(items, categories, first[targets], targets, max_history)
    return histories, items[targets], categories[targets]


def whole_sessions(clicks: pl.DataFrame, max_history: int = MAX_HISTORY) -> tuple[pl.Series, Histories]:
    """Give every session's id, and its last clicks as its history."""
    starts, items, categories = _flat(clicks)
    first = np.flatnonzero(starts)
    end = np.append(first[1:], len(items))
    return clicks[SESSION_ID].gather(first), _histories(items, categories, first, end, max_history)


def _flat(clicks: pl.DataFrame) -> tuple[Flags, Ints, Ints]:
    starts = (clicks[SESSION_ID] != clicks[SESSION_ID].shift(1)).fill_null(True).to_numpy()
    return starts, clicks[ITEM_IDX].to_numpy().astype(np.int64), clicks[CATEGORY_IDX].to_numpy().astype(np.int64)


def _histories(items: Ints, categories: Ints, first: Ints, end: Ints, max_history: int) -> Histories:
    """Count rows among the known clicks only, so that a history is a slice without gaps."""
    known = items >= FIRST_IDX
    rank = np.concatenate([[0], np.cumsum(known)])
    low = np.maximum(rank[first], rank[end] - max_history)
    return Histories(items[known], categories[known], low, rank[end])
