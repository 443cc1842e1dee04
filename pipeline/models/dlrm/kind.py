"""The DLRM as two kinds of models: with negatives, and as published."""

from pathlib import Path

import polars as pl

from pipeline.models.contract import Model, RankerKind, TrainingInput
from pipeline.models.dlrm import fit, model
from pipeline.models.dlrm.model import PUBLISHED, DlrmConfig, Ranker
from pipeline.store.stage import Metrics


class DlrmKind(RankerKind[DlrmConfig]):
    """The ranker."""

    title = "DLRM ranker"
    about = "Merlin Models' DLRM, trained with negatives: it orders the hundred items that another model retrieves."
    defaults = DlrmConfig()
    packages = ("merlin-models", "tensorflow-cpu")

    def train(self, given: TrainingInput[DlrmConfig]) -> Metrics:
        """Train with Merlin Models on what is retrieved, export the network."""
        return fit.train(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> Ranker:
        """Read the ranker, over what retrieves for it."""
        assert retrieval is not None  # `needs` names it
        return model.load(folder, catalogue, retrieval)


class PublishedDlrmKind(DlrmKind):
    """The same with other defaults."""

    title = "DLRM as published"
    about = (
        "A lesson: the same ranker trained on clicks alone. Without a negative its training AUC is 0.0: it learns "
        "that all is clicked."
    )
    defaults = PUBLISHED
