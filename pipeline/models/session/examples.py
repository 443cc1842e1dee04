"""What the session encoder learns from: histories, and the items that were clicked after each."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.core.arrays import Ints
from pipeline.core.columns import FIRST_IDX
from pipeline.models.session.encoder import flatten
from pipeline.models.session.network import Batch
from pipeline.sessions.histories import Histories, next_clicks

MOST_TARGETS = 16  # of one history: a first click that thousands share must not weigh on a batch alone


@dataclass(frozen=True)
class TrainingExamples:
    """Histories, none of them empty, and the catalogue's rows of the items clicked after each."""

    histories: Histories
    targets: Ints
    low: Ints  # history i is followed by targets low[i]:end[i]
    end: Ints

    @staticmethod
    def of(clicks: pl.DataFrame) -> "TrainingExamples":
        """Reveal each session click by click: a history for every next click."""
        histories, items, _ = next_clicks(clicks)
        usable = (histories.end > histories.low) & (items >= FIRST_IDX)
        each = np.arange(usable.sum())
        return TrainingExamples(histories.take(usable), items[usable] - FIRST_IDX, each, each + 1)

    def __len__(self) -> int:
        return len(self.low)

    def merged(self) -> "TrainingExamples":
        """Let equal histories be one, followed by the targets of all, by `MOST_TARGETS` of them at most."""
        code = self.histories.codes()
        order = np.argsort(code, kind="stable")
        begins = np.flatnonzero(np.diff(code[order], prepend=code[order[:1]] + 1))
        place = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
        low = np.flatnonzero(place % MOST_TARGETS == 0)
        end = np.append(low[1:], len(order))
        return TrainingExamples(self.histories.take(order[low]), self.targets[order], low, end)

    def batch(self, rows: Ints, step: int) -> Batch:
        """Lay some of them out for one step."""
        low, counts = self.low[rows], self.end[rows] - self.low[rows]
        of = np.repeat(np.arange(len(rows)), counts)
        firsts = np.cumsum(counts) - counts
        targets = self.targets[np.arange(len(of)) + np.repeat(low - firsts, counts)]
        return Batch(*flatten(self.histories.take(rows)), targets, of, step)
