"""The two-tower as published, as a kind of model."""

from pathlib import Path

import polars as pl

from pipeline.models.contract import EncoderKind, Model, TrainingInput
from pipeline.models.two_tower_published import model
from pipeline.models.two_tower_published.model import PublishedConfig, PublishedTwoTower
from pipeline.store.stage import Metrics


class PublishedKind(EncoderKind[PublishedConfig]):
    """The two-tower that knows a session by its id."""

    title = "Two-tower as published"
    about = (
        "A lesson: the same two towers, but the query tower knows a session by its id and a random age. It knows "
        "nothing of a session it has never seen, so all of those get the same items."
    )
    defaults = PublishedConfig()

    def train(self, given: TrainingInput[PublishedConfig]) -> Metrics:
        """Train a row for each session."""
        return model.train(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> PublishedTwoTower:
        """Read the vectors of items and sessions."""
        return model.load(folder)
