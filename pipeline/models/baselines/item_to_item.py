"""Baselines that rank by the last click alone: ItemKNN and sequential rules, each a sparse matrix of item to item."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.models.contract import TrainingInput
from pipeline.sessions import sparse
from pipeline.sessions.histories import Histories
from pipeline.store.stage import Metrics

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_FILE = "item_to_item.npz"


class ItemKnnConfig(Options):
    """What can be chosen of ItemKNN."""

    neighbours: int = Field(default=100, ge=1, le=100_000, description="Nearest items that each item keeps.")
    shrinkage: float = Field(
        default=20.0,
        ge=0,
        le=100_000,
        description="Added to each item's number of sessions, so that two rare items are not taken for the same by "
        "chance.",
    )


class RulesConfig(Options):
    """What can be chosen of sequential rules."""

    rules: int = Field(default=100, ge=1, le=100_000, description="Strongest rules that each item keeps.")
    steps: int = Field(default=10, ge=1, le=1000, description="How many clicks apart two items may lie.")


@dataclass(frozen=True)
class ItemToItem:
    """Score by the row of the last click; an item that the row does not name is not recommended."""

    matrix: "csr_matrix"  # (items + 1, items), the last row empty

    def score(self, histories: Histories) -> "csr_matrix":
        """Give the (n, items) rows of the histories' last clicks; an empty row to an empty history."""
        filled = histories.end > histories.low
        rows = np.full(len(histories), self.matrix.shape[1])
        rows[filled] = histories.items[histories.end[filled] - 1] - FIRST_IDX
        return self.matrix[rows]


def similarities(clicks: pl.DataFrame, items: int, config: ItemKnnConfig) -> "csr_matrix":
    """Compare items by the cosine of the sessions that clicked them, to (items, items).

    The baseline of Hidasi et al., Session-based recommendations with recurrent neural networks, ICLR 2016, with the
    shrinkage of their published code: sessions in common / sqrt((sessions of a + shrinkage) (of b + shrinkage)).
    """
    sessions = sparse.session_items(clicks, items)
    length = 1 / np.sqrt(np.asarray(sessions.sum(axis=0)).ravel() + config.shrinkage)
    together = (sessions.T @ sessions).tocoo()
    other = together.row != together.col
    rows, columns = together.row[other], together.col[other]
    similar = sparse.table(rows, columns, together.data[other] * length[rows] * length[columns], together.shape)
    return sparse.strongest(similar, config.neighbours)


def rules(clicks: pl.DataFrame, items: int, config: RulesConfig, progress: Progress = silent) -> "csr_matrix":
    """Count how often one item is clicked after another, each time as 1 / how many clicks later; (items, items).

    Sequential rules (SR) of Ludewig and Jannach, Evaluation of session-based recommendation algorithms, UMUAI 2018.
    """
    sessions, clicked = clicks[SESSION_ID], clicks[ITEM_IDX].to_numpy() - FIRST_IDX
    rows, columns, weights = [], [], []
    for step in range(1, config.steps + 1):
        progress(step - 1, config.steps, f"clicks {step} apart")
        same = (sessions == sessions.shift(step)).fill_null(False).to_numpy()[step:]
        rows.append(clicked[:-step][same])
        columns.append(clicked[step:][same])
        weights.append(np.full(int(same.sum()), 1 / step, np.float32))
    counted = sparse.table(np.concatenate(rows), np.concatenate(columns), np.concatenate(weights), (items, items))
    return sparse.strongest(counted, config.rules)


def train_item_knn(given: TrainingInput[ItemKnnConfig]) -> Metrics:
    """Write ItemKNN's matrix."""
    given.progress(0, 1, "counting sessions in common")
    return _save(given.folder, similarities(given.clicks, given.catalogue.height, given.options))


def train_rules(given: TrainingInput[RulesConfig]) -> Metrics:
    """Write the matrix of sequential rules."""
    return _save(given.folder, rules(given.clicks, given.catalogue.height, given.options, given.progress))


def load(folder: Path, catalogue: pl.DataFrame) -> ItemToItem:
    """Read either baseline."""
    matrix = sparse.load(folder / _FILE)
    matrix.resize(catalogue.height + 1, catalogue.height)
    return ItemToItem(matrix)


def _save(folder: Path, matrix: "csr_matrix") -> Metrics:
    sparse.save(folder / _FILE, matrix)
    return {"rules": int(matrix.nnz)}
