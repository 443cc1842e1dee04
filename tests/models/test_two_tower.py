"""The exported towers answer as Merlin's own do; a wrong export does not pass."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.core.errors import StopEarly
from pipeline.models.contract import TrainingInput
from pipeline.models.registry import encoder_kind
from pipeline.models.tower import TwoTower
from pipeline.models.two_tower import model as two_tower
from pipeline.models.two_tower.model import TwoTowerConfig
from pipeline.sessions.histories import Histories, next_clicks

pytestmark = pytest.mark.merlin
ITEMS, CATEGORIES = 40, 6


def _clicks() -> pl.DataFrame:
    """Make sessions that walk from an item to the next one: easy to learn."""
    random = np.random.default_rng(0)
    rows = []
    for session in range(400):
        start = int(random.integers(ITEMS))
        for step in range(4):
            item = (start + step) % ITEMS
            rows.append((session, session * 100 + step, FIRST_IDX + item, FIRST_IDX + item % (CATEGORIES - 1)))
    frame = pl.DataFrame(rows, schema=[SESSION_ID, TIMESTAMP, ITEM_IDX, CATEGORY_IDX], orient="row")
    return frame.with_columns(pl.from_epoch(TIMESTAMP).dt.replace_time_zone("UTC"))


def _catalogue() -> pl.DataFrame:
    return pl.DataFrame(
        {
            ITEM_ID: [f"i{n}" for n in range(ITEMS)],
            ITEM_IDX: [FIRST_IDX + n for n in range(ITEMS)],
            CATEGORY_IDX: [FIRST_IDX + n % (CATEGORIES - 1) for n in range(ITEMS)],
        }
    )


@pytest.mark.parametrize(("when", "epochs"), [("epoch 1 of", 1), ("epoch 3 of", 2)])
def test_stopped_early_it_keeps_the_best(tmp_path: Path, when: str, epochs: int) -> None:
    def listen(done: float, total: float, text: str = "", point: Any = None) -> None:
        if text.startswith(when):
            raise StopEarly

    found = two_tower.train(TrainingInput(tmp_path, _clicks(), _catalogue(), TwoTowerConfig(batch_size=256), listen))
    assert found["note"].startswith("stopped early")
    assert len(found["epochs"]) == epochs
    assert np.isfinite(TwoTower.load(tmp_path / "towers.npz").query.item).all()


def test_it_learns_and_its_export_is_faithful(tmp_path) -> None:  # type: ignore[no-untyped-def]
    catalogue = _catalogue()
    points: list[dict[str, float]] = []

    def listen(done, total, text="", point=None) -> None:  # type: ignore[no-untyped-def]
        if point is not None:
            points.append(dict(point))

    config = TwoTowerConfig(epochs=20, batch_size=128, learning_rate=0.01)
    found = two_tower.train(TrainingInput(tmp_path, _clicks(), catalogue, config, listen))
    assert found["validation_recall@20"] > 0.8  # 20 of 40 would be .5 by chance
    assert any("loss" in p for p in points)
    assert sum("validation_recall@20" in p for p in points) == config.epochs
    towers = TwoTower.load(tmp_path / "towers.npz")
    model = encoder_kind("two_tower").load(tmp_path, catalogue)
    histories, _, _ = next_clicks(_clicks())
    assert np.allclose(model.score(histories), model.encode(histories) @ model.vectors.T, rtol=1e-4, atol=1e-4)
    assert towers.query.item.shape[1] == two_tower.DIM
    _compared(towers)


def _compared(towers: TwoTower) -> None:
    """Build Merlin's model with these weights: equal passes, a bent weight does not."""
    items = towers.query.item.shape[0]
    schema = two_tower._schema(items, towers.query.category.shape[0])
    model = two_tower._model(schema, TwoTowerConfig())
    clicks = np.arange(FIRST_IDX, items)
    histories = Histories(clicks, np.full(len(clicks), FIRST_IDX), np.array([0, 1, 5]), np.array([1, 4, 20]))
    three = clicks[:3], np.full(3, FIRST_IDX)
    with pytest.raises(AssertionError, match="differ from Merlin's outputs"):
        two_tower._compare(model, towers, histories, *three)  # other weights
    exported = two_tower.exported_towers(model)
    two_tower._compare(model, exported, histories, *three)
    bent = TwoTower(replace(exported.query, bias1=exported.query.bias1 + 0.01), exported.candidate)
    with pytest.raises(AssertionError, match="differ from Merlin's outputs"):
        two_tower._compare(model, bent, histories, *three)
