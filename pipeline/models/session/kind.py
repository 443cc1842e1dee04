"""The session encoder as a kind of model."""

from pathlib import Path

import polars as pl

from pipeline.core.arrays import Floats
from pipeline.models.contract import EncoderKind, KnowsFeatures, Model, TrainingInput
from pipeline.models.session import growth, model
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.passes import SessionConfig
from pipeline.store.stage import Metrics


class SessionKind(EncoderKind[SessionConfig], KnowsFeatures):
    """The session encoder."""

    title = "Session encoder"
    about = (
        "Reads the session's clicks in order, with attention over the last 20 and the last one; sessions and items "
        "share one space, so the best items are the nearest."
    )
    defaults = SessionConfig()
    packages = ("tensorflow-cpu",)
    fits_all = True

    def train(self, given: TrainingInput[SessionConfig]) -> Metrics:
        """Train anew, or go on from the checkpoint or from the model before."""
        return model.train(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> SessionEncoder:
        """Read the exported weights."""
        return SessionEncoder.load(folder / model.ENCODER)

    def describe(self, folder: Path, items: pl.DataFrame) -> tuple[Floats, Floats]:
        """Give vectors of items by their metadata."""
        return growth.vectors_of(folder, items)
