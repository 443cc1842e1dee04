"""What is ranked: every click of the test sessions but the first, after the clicks before it."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.models import sparse
from pipeline.models.metrics import Scores
from pipeline.models.sessions import Histories, Ints, next_clicks
from pipeline.names import FIRST_IDX, ITEM_IDX, SESSION_ID

CLICKS = "clicks"  # how many clicks of the session had been revealed


@dataclass(frozen=True)
class Examples:
    """n next clicks, and what was clicked before each."""

    histories: Histories  # (n,) as a model reads them
    seen: Histories | None  # (n,) all clicks before, where those shall not be recommended
    targets: Ints  # (n,) columns of the catalogue, -1 outside it
    table: pl.DataFrame  # (n,) session_id, clicks, item_idx

    @staticmethod
    def of(clicks: pl.DataFrame, exclude_seen: bool = False) -> "Examples":
        """Reveal each session click by click; with `exclude_seen`, what the session clicks again is no example."""
        histories, items, _ = next_clicks(clicks)
        targets = np.where(items >= FIRST_IDX, items - FIRST_IDX, -1)
        table = clicks.select(
            SESSION_ID, pl.int_range(pl.len(), dtype=pl.Int32).over(SESSION_ID).alias(CLICKS), ITEM_IDX
        ).filter(pl.col(CLICKS) > 0)
        if not exclude_seen:
            return Examples(histories, None, targets, table)
        seen, _, _ = next_clicks(clicks, max_history=clicks.height)
        rows, columns, _ = sparse.clicked(seen)
        fresh = np.ones(len(targets), bool)
        fresh[rows[columns == targets[rows]]] = False
        return Examples(histories.take(fresh), seen.take(fresh), targets[fresh], table.filter(pl.Series(fresh)))

    def hide(self, scores: Scores, rows: slice) -> Scores:
        """Take what these examples' sessions have clicked out of their scores, where it shall not be recommended."""
        if self.seen is None:
            return scores
        row, column, _ = sparse.clicked(self.seen.take(rows))
        if isinstance(scores, np.ndarray):
            hidden = np.array(scores, np.float32)
            hidden[row, column] = -np.inf
            return hidden
        known = sparse.table(row, column, np.ones(len(row), np.float32), scores.shape)
        rest = scores - scores.multiply(known > 0)
        rest.eliminate_zeros()
        return rest.tocsr()
