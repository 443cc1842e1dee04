"""Sessions that go round among items, their catalogue, and a session model trained on them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.columns import CATEGORY, CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.models.contract import TrainingInput
from pipeline.models.session import model
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.passes import SessionConfig

ITEMS = 40
CONFIG = SessionConfig(epochs=8, finish=4, batch_size=16, dim=16, learning_rate=0.02)


def clicks(sessions: int = 400, items: int = ITEMS, length: int = 4) -> pl.DataFrame:
    """Make sessions that walk from an item to the next one: easy to learn."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(sessions):
        start = int(random.integers(items))
        for step in range(length):
            rows.append((number, number * 100 + step, FIRST_IDX + (start + step) % items, FIRST_IDX))
    frame = pl.DataFrame(rows, schema=[SESSION_ID, TIMESTAMP, ITEM_IDX, CATEGORY_IDX], orient="row")
    return frame.with_columns(pl.from_epoch(TIMESTAMP).dt.replace_time_zone("UTC"))


def catalogue(items: int = ITEMS) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ITEM_ID: [f"i{n}" for n in range(items)],
            ITEM_IDX: [FIRST_IDX + n for n in range(items)],
            CATEGORY: ["even" if n % 2 == 0 else "odd" for n in range(items)],
            CATEGORY_IDX: [FIRST_IDX + n % 2 for n in range(items)],
        }
    )


class Listener:
    """Keep the points of the curve; raise what is asked for when pass `when` begins."""

    def __init__(self, error: type[BaseException] | None = None, when: str = "") -> None:
        self.error, self.when = error, when
        self.steps: list[float] = []
        self.validated = 0

    def __call__(self, done: float, total: float, text: str = "", point: Any = None) -> None:
        self.steps.append(done)
        self.validated += point is not None and "validation_recall@20" in point
        if self.error is not None and text.startswith(self.when):
            raise self.error


def train(folder: Path, config: SessionConfig = CONFIG, listen: Any = None, kept: Path | None = None) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    kept = kept or folder / "kept.npz"
    return model.train(TrainingInput(folder, clicks(), catalogue(), config, listen or Listener(), kept, folder))


def vectors(folder: Path) -> Any:
    return SessionEncoder.load(folder / "encoder.npz").vectors
