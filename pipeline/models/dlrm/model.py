"""A DLRM as a ranker: it orders what another model retrieves; trained in dlrm_training.py."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.checks import Limits, in_range
from pipeline.core.workspace import read_json
from pipeline.models.dlrm.network import DlrmNetwork
from pipeline.models.dlrm.pairs import CATEGORICAL, CONTINUOUS, PairFeatures, RetrievedItems, Scorer, retrieve
from pipeline.sessions import sparse
from pipeline.sessions.histories import Histories

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class DlrmConfig:
    """What can be chosen of the ranker."""

    retrieval: str = "two_tower"
    """The model whose candidates are ranked."""
    candidates: int = 100
    """Items retrieved for a session."""
    retrieved: int = 50
    """Negatives of each next click among what was retrieved and not clicked next."""
    popular: int = 4
    """Negatives drawn from the catalogue, the more often the more an item is clicked."""
    in_batch: int = 4
    """Negatives that are the next clicks of other examples, as they stand in a batch."""
    min_clicks: int = 100
    """Items clicked less often in training share one embedding: they are too rare to learn one each."""
    epochs: int = 12
    """Passes over the examples; the best by MRR@20 of held-out sessions is kept."""
    batch_size: int = 2048
    """Pairs of session and item in a batch."""
    learning_rate: float = 0.002
    """Adam's step size."""
    seed: int = 42
    """Of the first weights, the negatives and the shuffling."""
    LIMITS: ClassVar[Limits] = {
        "candidates": (2, 10_000), "retrieved": (0, 1000), "popular": (0, 1000), "in_batch": (0, 1000),
        "min_clicks": (0, 10**9),
        "epochs": (1, 1000), "batch_size": (16, 65536), "learning_rate": (1e-6, 1.0), "seed": (0, 2**31),
    }  # fmt: skip

    def __post_init__(self) -> None:
        in_range(self, self.LIMITS)

    @property
    def has_negatives(self) -> bool:
        """Tell whether it is trained with anything but clicks."""
        return self.retrieved + self.popular + self.in_batch > 0


PUBLISHED = DlrmConfig(retrieved=0, popular=0, in_batch=0, epochs=3)  # as published: clicks and nothing else


@dataclass(frozen=True)
class Ranker:
    """Order what retrieval returns; nothing else is recommended."""

    retrieval: Scorer
    features: PairFeatures
    network: DlrmNetwork | None  # None: no pass of the training ordered better than retrieval does
    config: DlrmConfig

    def score(self, histories: Histories) -> "csr_matrix":
        """Give (n, items) odds of a click, of the retrieved items only."""
        found = retrieve(self.retrieval, histories, self.config.candidates)
        odds = np.exp(np.clip(self.logits(histories, found), -40, 40))
        there = found.items >= 0
        rows = np.repeat(np.arange(len(histories)), there.sum(axis=1))
        return sparse.table(rows, found.items[there], odds[there], (len(histories), len(self.features.popularity)))

    def logits(self, histories: Histories, found: RetrievedItems) -> Floats:
        """Give (n, k) logits of candidates, which come best first from retrieval."""
        if self.network is None:
            return np.broadcast_to(-np.log1p(np.arange(found.items.shape[1], dtype=np.float32)), found.items.shape)
        categorical = self.features.categorical(histories, found)
        continuous = self.features.continuous(histories, found)
        flat = self.network.logits(categorical.reshape(-1, len(CATEGORICAL)), continuous.reshape(-1, len(CONTINUOUS)))
        return flat.reshape(found.items.shape)


def load(folder: Path, catalogue: pl.DataFrame, retrieval: Scorer) -> Ranker:
    """Read a ranker, over the model that retrieves for it."""
    config = DlrmConfig(**read_json(folder / "config.json") or {})
    return Ranker(
        retrieval,
        PairFeatures.load(folder, catalogue, config.min_clicks),
        DlrmNetwork.load(network) if (network := folder / "network.npz").exists() else None,
        config,
    )
