"""A DLRM as a ranker: it orders what another model retrieves; trained in fit.py."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.arrays import Floats
from pipeline.models.contract import BatchSize, Epochs, LearningRate, Model, RankerOptions, Seed
from pipeline.models.dlrm.network import DlrmNetwork
from pipeline.models.dlrm.pairs import CATEGORICAL, CONTINUOUS, CandidateItems, PairTables, RetrievedItems, retrieve
from pipeline.sessions import sparse
from pipeline.sessions.histories import Histories
from pipeline.store.workspace import read_json

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class DlrmConfig(RankerOptions):
    """What can be chosen of the ranker."""

    retrieval: str = Field(default="two_tower", description="The model whose candidates are ranked.")
    candidates: int = Field(default=100, ge=2, le=10_000, description="Items retrieved for a session.")
    retrieved: int = Field(
        default=50,
        ge=0,
        le=1000,
        description="Negatives of each next click among what was retrieved and not clicked next.",
    )
    popular: int = Field(
        default=4,
        ge=0,
        le=1000,
        description="Negatives drawn from the catalogue, the more often the more an item is clicked.",
    )
    in_batch: int = Field(
        default=4,
        ge=0,
        le=1000,
        description="Negatives that are the next clicks of other examples, as they stand in a batch.",
    )
    min_clicks: int = Field(
        default=100,
        ge=0,
        le=10**9,
        description="Items clicked less often in training share one embedding: they are too rare to learn one each.",
    )
    epochs: Epochs = Field(
        default=12, description="Passes over the examples; the best by MRR@20 of held-out sessions is kept."
    )
    batch_size: BatchSize = Field(default=2048, description="Pairs of session and item in a batch.")
    learning_rate: LearningRate = Field(default=0.002, description="Adam's step size.")
    seed: Seed = Field(default=42, description="Of the first weights, the negatives and the shuffling.")

    @property
    def has_negatives(self) -> bool:
        """Tell whether it is trained with anything but clicks."""
        return self.retrieved + self.popular + self.in_batch > 0


PUBLISHED = DlrmConfig(retrieved=0, popular=0, in_batch=0, epochs=3)  # as published: clicks and nothing else


@dataclass(frozen=True)
class Ranker:
    """Order what retrieval returns; nothing else is recommended."""

    retrieval: Model
    features: PairTables
    network: DlrmNetwork | None  # None: no pass of the training ordered better than retrieval does
    config: DlrmConfig

    def score(self, histories: Histories) -> "csr_matrix":
        """Give (n, items) odds of a click, of the retrieved items only."""
        found = retrieve(self.retrieval, histories, self.config.candidates)
        odds = np.exp(np.clip(self.logits(histories, found), -40, 40))
        there = found.items >= 0
        rows = np.repeat(np.arange(len(histories)), there.sum(axis=1))
        return sparse.table(rows, found.items[there], odds[there], (len(histories), len(self.features.popularity)))

    def logits(self, histories: Histories, found: RetrievedItems, about: CandidateItems | None = None) -> Floats:
        """Give (n, k) logits of candidates, best first from retrieval; `about` them as in `PairTables`."""
        if self.network is None:
            return np.broadcast_to(-np.log1p(np.arange(found.items.shape[1], dtype=np.float32)), found.items.shape)
        categorical = self.features.categorical(histories, found, about)
        continuous = self.features.continuous(histories, found, about)
        flat = self.network.logits(categorical.reshape(-1, len(CATEGORICAL)), continuous.reshape(-1, len(CONTINUOUS)))
        return flat.reshape(found.items.shape)


def load(folder: Path, catalogue: pl.DataFrame, retrieval: Model) -> Ranker:
    """Read a ranker, over the model that retrieves for it."""
    config = DlrmConfig(**read_json(folder / "config.json") or {})
    return Ranker(
        retrieval,
        PairTables.load(folder, catalogue, config.min_clicks),
        DlrmNetwork.load(network) if (network := folder / "network.npz").exists() else None,
        config,
    )
