"""The baselines as kinds of models."""

from pathlib import Path

import polars as pl

from pipeline.models.baselines import item_to_item, popularity, vsknn
from pipeline.models.baselines.item_to_item import ItemKnnConfig, ItemToItem, RulesConfig
from pipeline.models.baselines.popularity import Popularity, PopularityConfig
from pipeline.models.baselines.vsknn import VsKnn, VsKnnConfig
from pipeline.models.contract import BaselineKind, Model, TrainingInput
from pipeline.store.stage import Metrics


class PopularityKind(BaselineKind[PopularityConfig]):
    """Popularity."""

    title = "Popularity"
    about = "The most clicked items, to everyone the same: what any model has to beat."
    defaults = PopularityConfig()

    def train(self, given: TrainingInput[PopularityConfig]) -> Metrics:
        """Count clicks."""
        return popularity.train(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> Popularity:
        """Read the counts."""
        return popularity.load(folder)


class ItemKnnKind(BaselineKind[ItemKnnConfig]):
    """ItemKNN."""

    title = "ItemKNN"
    about = "The items that share most sessions with the last click."
    defaults = ItemKnnConfig()
    packages = ("scipy",)

    def train(self, given: TrainingInput[ItemKnnConfig]) -> Metrics:
        """Compare items by their sessions."""
        return item_to_item.train_item_knn(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> ItemToItem:
        """Read the matrix."""
        return item_to_item.load(folder, catalogue)


class RulesKind(BaselineKind[RulesConfig]):
    """Sequential rules."""

    title = "Sequential rules"
    about = "The items that most often follow the last click, sooner counting more."
    defaults = RulesConfig()
    packages = ("scipy",)

    def train(self, given: TrainingInput[RulesConfig]) -> Metrics:
        """Count what follows what."""
        return item_to_item.train_rules(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> ItemToItem:
        """Read the matrix."""
        return item_to_item.load(folder, catalogue)


class VsKnnKind(BaselineKind[VsKnnConfig]):
    """VS-KNN."""

    title = "VS-KNN"
    about = "The items of the recent sessions most like this one, its last clicks counting most."
    defaults = VsKnnConfig()
    packages = ("scipy",)

    def train(self, given: TrainingInput[VsKnnConfig]) -> Metrics:
        """Keep the sessions."""
        return vsknn.train(given)

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> VsKnn:
        """Read the sessions."""
        return vsknn.load(folder)
