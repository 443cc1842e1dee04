"""Sessions as flat arrays: the clicks of all sessions one after the other, and where each history begins and ends."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.names import CATEGORY_IDX, FIRST_IDX, ITEM_IDX, SESSION_ID, TIMESTAMP

MAX_HISTORY = 20  # clicks that a model looks back on
Ints = npt.NDArray[np.int64]


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

    def take(self, rows: npt.NDArray[np.bool_] | Ints | slice) -> "Histories":
        """Keep some of the histories; the clicks are shared, not copied."""
        return Histories(self.items, self.categories, self.low[rows], self.end[rows])


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


def hold_out(clicks: pl.DataFrame, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split off the `share` of the sessions that end last, at least one; the first part is never empty."""
    ends = clicks.group_by(SESSION_ID).agg(pl.col(TIMESTAMP).max()).sort(TIMESTAMP, SESSION_ID)
    held = max(1, int(len(ends) * share))
    is_late = pl.col(SESSION_ID).is_in(ends[SESSION_ID][-held:].implode())
    first = clicks.filter(~is_late)
    return (first if len(first) else clicks), clicks.filter(is_late)


def _flat(clicks: pl.DataFrame) -> tuple[npt.NDArray[np.bool_], Ints, Ints]:
    starts = (clicks[SESSION_ID] != clicks[SESSION_ID].shift(1)).fill_null(True).to_numpy()
    return starts, clicks[ITEM_IDX].to_numpy().astype(np.int64), clicks[CATEGORY_IDX].to_numpy().astype(np.int64)


def _histories(items: Ints, categories: Ints, first: Ints, end: Ints, max_history: int) -> Histories:
    """Count rows among the known clicks only, so that a history is a slice without gaps."""
    known = items >= FIRST_IDX
    rank = np.concatenate([[0], np.cumsum(known)])
    low = np.maximum(rank[first], rank[end] - max_history)
    return Histories(items[known], categories[known], low, rank[end])
