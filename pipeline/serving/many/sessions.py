"""Sessions of a log in blocks, as the keys that an index has for their items."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.core.arrays import Ints
from pipeline.core.columns import ITEM_ID, SESSION_ID
from pipeline.serving.stages.histories import Requests

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Block:
    """Some sessions, and their clicks as keys, oldest first."""

    sessions: pl.Series
    requests: Requests


@dataclass(frozen=True, eq=False)
class Names:
    """The items that an index can answer with: their keys and their ids as text."""

    keys: Ints
    """(items,) ascending."""
    items: pl.Series

    @staticmethod
    def of(keys: Ints, items: pl.Series) -> "Names":
        """Order items by key."""
        order = np.argsort(keys, kind="stable")
        return Names(np.asarray(keys, np.int64)[order], items.cast(pl.String)[order])

    def of_keys(self, keys: Ints) -> pl.Series:
        """Name (n,) keys; null for one that is not there."""
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return self.items.gather(at).set(pl.Series(self.keys[at] != keys), None).alias(ITEM_ID)


@dataclass(frozen=True, eq=False)
class SessionLog:
    """Clicks by session, in the log's order."""

    sessions: pl.Series
    """(n,) each once."""
    values: Ints
    """(clicks,) keys, UNKNOWN for an item that the index does not hold."""
    offsets: Ints
    """(n + 1,) where a session's clicks begin."""

    @staticmethod
    def of(clicks: pl.DataFrame, names: Names) -> "SessionLog":
        """Read clicks that are ordered by session and time."""
        texts = clicks.select(pl.col(ITEM_ID).cast(pl.String))
        known = pl.DataFrame({ITEM_ID: names.items, "key": names.keys})
        keys = texts.join(known, on=ITEM_ID, how="left", maintain_order="left")["key"].fill_null(UNKNOWN)
        runs = clicks[SESSION_ID].rle().struct.unnest()
        offsets = np.concatenate([[0], np.cumsum(runs["len"].to_numpy())]).astype(np.int64)
        return SessionLog(runs["value"], keys.to_numpy(), offsets)

    def __len__(self) -> int:
        return len(self.sessions)

    def blocks(self, low: int, high: int, size: int, first: int, last: int) -> Iterator[tuple[Block, int]]:
        """Give sessions [low, high) in blocks, without those that clicked no key in [first, last); tell how many."""
        for at in range(low, high, size):
            end = min(at + size, high)
            values = self.values[self.offsets[at] : self.offsets[end]]
            offsets = self.offsets[at : end + 1] - self.offsets[at]
            known = np.concatenate([[0], np.cumsum((values >= first) & (values < last))])[offsets]
            answered = np.diff(known) > 0
            kept = np.repeat(answered, np.diff(offsets))
            lengths = np.diff(offsets)[answered]
            if not len(lengths):
                continue
            some = Requests(values[kept], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
            yield Block(self.sessions[at:end].filter(pl.Series(answered)), some), end - at
