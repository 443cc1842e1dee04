"""Made-up clicks have YOOCHOOSE's shape, come the same from the same seed, and hold something to learn."""

import polars as pl
import pytest

from pipeline.clicks import ClickSource, source
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP


@pytest.fixture(scope="module")
def clicks() -> pl.DataFrame:
    return source.read_source(ClickSource("synthetic:20000")).clicks


def test_the_same_seed_gives_the_same_clicks(clicks: pl.DataFrame) -> None:
    assert source.read_source(ClickSource("synthetic:20000")).clicks.equals(clicks)
    assert not source.read_source(ClickSource("synthetic:20000:7")).clicks.equals(clicks)


def test_the_shape_is_yoochooses(clicks: pl.DataFrame) -> None:
    lengths = clicks.group_by(SESSION_ID).len()["len"]
    assert lengths.len() == 20_000
    assert 3.2 < float(lengths.mean() or 0) < 4.0  # type: ignore[arg-type]  # 3.57 in YOOCHOOSE
    counts = clicks[ITEM_ID].value_counts(sort=True)["count"].to_numpy()
    assert counts[: len(counts) // 10].sum() / counts.sum() > 0.35  # a long tail
    kinds = set(clicks[CATEGORY].unique())
    assert {"0", "S"} | {str(n) for n in range(1, 13)} <= kinds
    assert any(len(kind) == 10 for kind in kinds)  # brands
    assert clicks[TIMESTAMP].min() is not None


def test_the_next_click_can_be_foreseen(clicks: pl.DataFrame) -> None:
    """The item that most often follows is right far more often than the most popular one."""
    pairs = clicks.with_columns(pl.col(ITEM_ID).shift(-1).over(SESSION_ID).alias("next")).drop_nulls("next")
    half = len(pairs) // 2
    usual = pairs[:half].group_by(ITEM_ID).agg(pl.col("next").mode().sort().first().alias("guess"))
    later = pairs[half:].join(usual, on=ITEM_ID, how="left")
    popular = pairs[:half]["next"].mode().sort()[0]
    assert (later["guess"] == later["next"]).sum() > 10 * (later["next"] == popular).sum()
