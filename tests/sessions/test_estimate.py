"""What options would keep is told beforehand: to the click where all clicks are looked at, closely where some are."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.core.errors import UserError
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.estimate import estimate, take_sample
from pipeline.sessions.preprocess import preprocess
from pipeline.store.workspace import Workspace

CHOICES: list[dict[str, Any]] = [
    {},
    {"last_days": 100, "min_item_count": 3},
    {"max_session_length": 6, "collapse_repeats": True, "min_session_length": 3},
    {"test_days": 30, "train_share": 0.25},
    {"test_share": 0.5},
]


@pytest.fixture(scope="module")
def clicked(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.open(tmp_path_factory.mktemp("estimate") / "ws")
    ingest(workspace, ClickSource("shop:3000"))
    return workspace


@pytest.mark.parametrize("options", CHOICES)
def test_it_is_what_preprocessing_keeps(clicked: Workspace, options: dict[str, Any]) -> None:
    config = PreprocessConfig(**options)
    told = estimate(take_sample(clicked), config)
    found = preprocess(clicked, config).manifest["metrics"]
    assert [vars(step) for step in told.steps] == found["steps"]
    assert (told.train, told.test, told.boundary, told.share) == (
        found["train_sessions"],
        found["test_sessions"],
        found["boundary"],
        1.0,
    )


@pytest.mark.parametrize("options", CHOICES)
def test_a_sample_is_close(clicked: Workspace, options: dict[str, Any]) -> None:
    config = PreprocessConfig(**options)
    sample = take_sample(clicked, most=4_000)
    assert 0.2 < sample.share < 0.6
    told, whole = estimate(sample, config), estimate(take_sample(clicked), config)
    assert told.steps[0].clicks == whole.steps[0].clicks
    assert told.steps[-1].clicks == pytest.approx(whole.steps[-1].clicks, rel=0.15)
    assert told.train == pytest.approx(whole.train, rel=0.15)


def test_what_leaves_nothing_is_a_sentence(clicked: Workspace) -> None:
    with pytest.raises(UserError, match="a split needs at least 2"):
        estimate(take_sample(clicked), PreprocessConfig(min_item_count=100_000))


def test_the_report_and_the_days_are_kept(clicked: Workspace, tmp_path: Path) -> None:
    import polars as pl

    done = preprocess(clicked, PreprocessConfig(last_days=200))
    days = pl.read_parquet(clicked.stage("data") / "days.parquet")
    metrics = done.manifest["metrics"]
    for part in ("train", "test"):
        assert days.filter(pl.col("part") == part)["sessions"].sum() == metrics[f"{part}_sessions"]
    assert [step["name"] for step in metrics["steps"]] == ["read", "last_days", "min_session_length"]
    assert metrics["steps"][-1]["clicks"] == metrics["train_clicks"] + metrics["test_clicks"]
