"""Merlin Models' two-tower as a kind of model."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import CATEGORY_IDX, ITEM_IDX
from pipeline.models.contract import EncoderKind, Model, TrainingInput
from pipeline.models.tower import TwoTower
from pipeline.models.two_tower import model
from pipeline.models.two_tower.model import TwoTowerConfig
from pipeline.sessions.histories import Histories
from pipeline.store.stage import Metrics


@dataclass(frozen=True)
class Towers:
    """Score by the dot product of the query tower's and the item tower's vectors."""

    towers: TwoTower
    vectors: Floats  # (items, dim)

    def encode(self, histories: Histories) -> Floats:
        """Encode histories by the query tower."""
        return self.towers.query.histories(histories)

    def score(self, histories: Histories) -> Floats:
        """Give the dot products of each history with every item."""
        return self.encode(histories) @ self.vectors.T


class TwoTowerKind(EncoderKind[TwoTowerConfig]):
    """The two-tower that reads a session's clicks."""

    title = "Two-tower"
    about = (
        "Merlin Models' retrieval model; its query tower reads the session's last clicks, so it has a vector for a "
        "session it has never seen."
    )
    defaults = TwoTowerConfig()
    packages = ("merlin-models", "tensorflow-cpu")

    def train(self, given: TrainingInput[TwoTowerConfig]) -> Metrics:
        """Train with Merlin Models, export the towers."""
        return model.train(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> Towers:
        """Read the towers, and encode the catalogue."""
        towers = TwoTower.load(folder / model.TOWERS)
        return Towers(towers, item_vectors(towers, catalogue))


def item_vectors(towers: TwoTower, catalogue: pl.DataFrame) -> Floats:
    """Encode the whole catalogue, in its order, to (items, dim)."""
    return towers.candidate.items(catalogue[ITEM_IDX].to_numpy(), catalogue[CATEGORY_IDX].to_numpy())
