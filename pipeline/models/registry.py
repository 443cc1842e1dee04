"""The kinds of models: what each is, how it is trained and how it is read back. A new one is one entry in `KINDS`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import CATEGORY_IDX, ITEM_IDX
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress
from pipeline.core.stage import Metrics
from pipeline.core.text import did_you_mean
from pipeline.metrics.ranking import Scores
from pipeline.models.baselines import item_to_item, vsknn
from pipeline.models.baselines.item_to_item import ItemKnnConfig, RulesConfig
from pipeline.models.baselines.vsknn import VsKnnConfig
from pipeline.models.dlrm import fit
from pipeline.models.dlrm import model as dlrm
from pipeline.models.dlrm.model import PUBLISHED, DlrmConfig
from pipeline.models.session import model as session
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.passes import SessionConfig
from pipeline.models.tower import TwoTower
from pipeline.models.two_tower import model as two_tower
from pipeline.models.two_tower.model import TwoTowerConfig
from pipeline.models.two_tower_published import model as two_tower_published
from pipeline.models.two_tower_published.model import PublishedConfig
from pipeline.sessions.histories import Histories


class Model(Protocol):
    """Score every item of the training catalogue after a history."""

    def score(self, histories: Histories) -> Scores:
        """Give (n, items) scores, higher is better."""


class Encoder(Model, Protocol):
    """A model that scores by the dot product of two vectors, a history's and an item's, so that an index can search."""

    @property
    def vectors(self) -> Floats:
        """Give the items' vectors (items, dim), in the order of the catalogue."""

    def encode(self, histories: Histories) -> Floats:
        """Give the histories' vectors (n, dim)."""


@runtime_checkable
class KnowsSessions(Protocol):
    """An encoder that has a vector for each session of its training, by its id."""

    def encode_sessions(self, ids: pl.Series) -> Floats:
        """Give the sessions' vectors (n, dim)."""


@dataclass(frozen=True)
class PopularityConfig:
    """Popularity has nothing to choose."""


@dataclass(frozen=True)
class Kind:
    """A kind of model: what it is, how it is trained and how it is read back."""

    title: str
    about: str
    config: Any
    train: Callable[..., Metrics]  # (folder, clicks, catalogue, config, progress), kept= and before= where it resumes
    load: Callable[..., Model]  # (folder, catalogue)
    packages: tuple[str, ...] = ()
    has_vectors: bool = False
    """What it loads is an `Encoder`."""
    resumes: bool = False
    """A training that was killed goes on from the checkpoint `kept`, a later one can from the model in `before`."""
    baseline: bool = False
    """Simple and hard to beat: what a model is compared with."""
    fits_all: bool = False
    """Learns in the end from the sessions held out as well, so that nothing else can learn from its errors on them."""
    ranks: bool = False
    """Orders what the model named by its option `retrieval` retrieves; trained and read with that one."""


@dataclass(frozen=True)
class Popularity:
    """Recommend the items clicked most often in training, to everyone the same."""

    counts: Floats

    def score(self, histories: Histories) -> Floats:
        """Give every history the same row of counts."""
        return np.broadcast_to(self.counts, (len(histories), len(self.counts)))


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


def item_vectors(towers: TwoTower, catalogue: pl.DataFrame) -> Floats:
    """Encode the whole catalogue, in its order, to (items, dim)."""
    return towers.candidate.items(catalogue[ITEM_IDX].to_numpy(), catalogue[CATEGORY_IDX].to_numpy())


def _train_popularity(
    folder: Path, clicks: pl.DataFrame, catalogue: pl.DataFrame, config: Any, progress: Progress
) -> Metrics:
    catalogue.select(ITEM_IDX, "train_clicks").write_parquet(folder / "counts.parquet")
    return {"clicks": clicks.height}


def _load_popularity(folder: Path, catalogue: pl.DataFrame) -> Model:
    return Popularity(pl.read_parquet(folder / "counts.parquet")["train_clicks"].to_numpy().astype(np.float32))


def _load_towers(folder: Path, catalogue: pl.DataFrame) -> Model:
    towers = TwoTower.load(folder / "towers.npz")
    return Towers(towers, item_vectors(towers, catalogue))


def _load_session(folder: Path, catalogue: pl.DataFrame) -> Model:
    return SessionEncoder.load(folder / "encoder.npz")


KINDS: dict[str, Kind] = {
    "session": Kind(
        "Session encoder",
        "Reads the session's clicks in order, with attention over the last 20 and the last one; sessions and items "
        "share one space, so the best items are the nearest.",
        SessionConfig(),
        session.train,
        _load_session,
        ("tensorflow-cpu",),
        has_vectors=True,
        resumes=True,
        fits_all=True,
    ),
    "two_tower": Kind(
        "Two-tower",
        "Merlin Models' retrieval model; its query tower reads the session's last clicks, so it has a vector for a "
        "session it has never seen.",
        TwoTowerConfig(),
        two_tower.train,
        _load_towers,
        ("merlin-models", "tensorflow-cpu"),
        has_vectors=True,
    ),
    "two_tower_published": Kind(
        "Two-tower as published",
        "A lesson: the same two towers, but the query tower knows a session by its id and a random age. It knows "
        "nothing of a session it has never seen, so all of those get the same items.",
        PublishedConfig(),
        two_tower_published.train,
        two_tower_published.load,
        has_vectors=True,
    ),
    "dlrm": Kind(
        "DLRM ranker",
        "Merlin Models' DLRM, trained with negatives: it orders the hundred items that another model retrieves.",
        DlrmConfig(),
        fit.train,
        dlrm.load,
        ("merlin-models", "tensorflow-cpu"),
        ranks=True,
    ),
    "dlrm_published": Kind(
        "DLRM as published",
        "A lesson: the same ranker trained on clicks alone. Without a negative its training AUC is 0.0: it learns "
        "that all is clicked.",
        PUBLISHED,
        fit.train,
        dlrm.load,
        ("merlin-models", "tensorflow-cpu"),
        ranks=True,
    ),
    "popularity": Kind(
        "Popularity",
        "The most clicked items, to everyone the same: what any model has to beat.",
        PopularityConfig(),
        _train_popularity,
        _load_popularity,
        baseline=True,
    ),
    "itemknn": Kind(
        "ItemKNN",
        "The items that share most sessions with the last click.",
        ItemKnnConfig(),
        item_to_item.train_item_knn,
        item_to_item.load,
        ("scipy",),
        baseline=True,
    ),
    "sr": Kind(
        "Sequential rules",
        "The items that most often follow the last click, sooner counting more.",
        RulesConfig(),
        item_to_item.train_rules,
        item_to_item.load,
        ("scipy",),
        baseline=True,
    ),
    "vsknn": Kind(
        "VS-KNN",
        "The items of the recent sessions most like this one, its last clicks counting most.",
        VsKnnConfig(),
        vsknn.train,
        vsknn.load,
        ("scipy",),
        baseline=True,
    ),
}


def kind(name: str) -> Kind:
    """Find a kind of model by its name, or raise UserError."""
    if name not in KINDS:
        raise UserError(f"There is no model '{name}': the models are {', '.join(KINDS)}.{did_you_mean(name, KINDS)}")
    return KINDS[name]


def baselines() -> list[str]:
    """List the models that others are compared with."""
    return [name for name, entry in KINDS.items() if entry.baseline]


def retrievers() -> list[str]:
    """List the models that a ranker can be trained over."""
    return [name for name, entry in KINDS.items() if entry.has_vectors and not entry.fits_all]


def need_vectors(model: str) -> None:
    """Raise UserError for a model that makes no vectors."""
    if not kind(model).has_vectors:
        raise UserError(f"Model '{model}' makes no vectors to search with: choose one that does, such as {able()}.")


def able() -> str:
    """Name the models that make vectors, as a sentence has them."""
    return " or ".join(name for name, entry in KINDS.items() if entry.has_vectors)
