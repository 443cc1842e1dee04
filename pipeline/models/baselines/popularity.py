"""The most clicked items, to everyone the same."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import ITEM_IDX, TRAIN_CLICKS
from pipeline.core.options import Options
from pipeline.models.contract import TrainingInput
from pipeline.sessions.histories import Histories
from pipeline.store.stage import Metrics

_FILE = "counts.parquet"


class PopularityConfig(Options):
    """Popularity has nothing to choose."""


@dataclass(frozen=True)
class Popularity:
    """Recommend the items clicked most often in training, to everyone the same."""

    counts: Floats

    def score(self, histories: Histories) -> Floats:
        """Give every history the same row of counts."""
        return np.broadcast_to(self.counts, (len(histories), len(self.counts)))


def train(given: TrainingInput[PopularityConfig]) -> Metrics:
    """Write each item's clicks."""
    given.catalogue.select(ITEM_IDX, TRAIN_CLICKS).write_parquet(given.folder / _FILE)
    return {"clicks": given.clicks.height}


def load(folder: Path) -> Popularity:
    """Read each item's clicks."""
    return Popularity(pl.read_parquet(folder / _FILE)[TRAIN_CLICKS].to_numpy().astype(np.float32))
