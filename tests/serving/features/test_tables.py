"""Features are what a plain reading of the clicks gives, and at a past click they know of no later one."""

import math
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.serving.features.tables import (
    SHARES,
    common_categories,
    item_table,
    session_key,
    session_keys,
    session_table,
)

BEGIN = datetime(2026, 1, 1)
ITEMS = 6
CLICK = st.tuples(st.integers(0, 3), st.integers(0, 3 * 86_400), st.integers(0, ITEMS - 1))
PRICES = st.lists(st.none() | st.floats(0, 1e6), min_size=ITEMS, max_size=ITEMS)


def _catalogue(prices: list[float | None], clicks: list[tuple[int, int, int]]) -> pl.DataFrame:
    counts = [sum(item == n for _, _, item in clicks) for n in range(ITEMS)]
    return pl.DataFrame(
        {
            "item_idx": [n + 3 for n in range(ITEMS)],
            "category_idx": [3 + n % 3 for n in range(ITEMS)],
            "price": pl.Series(prices, dtype=pl.Float64),
            "train_clicks": pl.Series(counts, dtype=pl.UInt32),
        }
    )


def _table(clicks: list[tuple[int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "session_id": [session for session, _, _ in clicks],
            "timestamp": [BEGIN + timedelta(seconds=second) for _, second, _ in clicks],
            "item_idx": [item + 3 for _, _, item in clicks],
            "category_idx": [3 + item % 3 for _, _, item in clicks],
        },
        schema_overrides={"timestamp": pl.Datetime("ns")},
    )


def _reference(clicks: list[tuple[int, int, int]], prices: list[float | None], categories: list[int]) -> dict[str, Any]:
    """Read the last of clicks of one session, oldest first."""
    known = [prices[item] for _, _, item in clicks if prices[item] is not None]
    shares = [sum(3 + item % 3 == code for _, _, item in clicks) / len(clicks) for code in categories]
    return {
        "length": len(clicks),
        "seconds": clicks[-1][1] - clicks[0][1],
        "last_item": clicks[-1][2] + 3,
        "mean_price": math.fsum(known) / len(known) if known else math.nan,  # type: ignore[arg-type]
        **{f"share_{n}": share for n, share in enumerate([*shares, *[0.0] * (SHARES - len(shares))], 1)},
    }


@pytest.mark.hypothesis
@given(st.lists(CLICK, min_size=1, max_size=30), PRICES)
def test_a_session_at_a_time_is_what_it_had_clicked_by_then(
    clicks: list[tuple[int, int, int]], prices: list[float | None]
) -> None:
    catalogue = _catalogue(prices, clicks)
    categories = common_categories(catalogue)
    found = session_table(_table(clicks), catalogue, categories)
    assert found.height == len({(session, second) for session, second, _ in clicks})
    for row in found.iter_rows(named=True):
        then = (row["event_timestamp"] - BEGIN).total_seconds()
        before = [c for c in sorted(clicks, key=lambda c: c[1]) if c[0] == row["session_key"] and c[1] <= then]
        for name, value in _reference(before, prices, categories).items():
            assert row[name] == pytest.approx(value, rel=1e-6, nan_ok=True), name


@pytest.mark.hypothesis
@given(st.lists(CLICK, min_size=1, max_size=30), PRICES)
def test_an_item_is_what_training_clicked_of_it(clicks: list[tuple[int, int, int]], prices: list[float | None]) -> None:
    found = item_table(_table(clicks), _catalogue(prices, clicks))
    end = max(second for _, second, _ in clicks)
    for item, row in enumerate(found.iter_rows(named=True)):
        ages = [(end - second) / 86_400 for _, second, clicked in clicks if clicked == item]
        assert row["train_clicks"] == len(ages)
        assert row["clicks_last_day"] == sum(age < 1 for age in ages)
        assert row["clicks_last_week"] == sum(age < 7 for age in ages)
        assert row["age_days"] == pytest.approx(max(ages, default=math.nan), rel=1e-6, nan_ok=True)
        assert row["price"] == pytest.approx(math.nan if prices[item] is None else prices[item], rel=1e-6, nan_ok=True)


@pytest.mark.hypothesis
@given(st.lists(st.integers(-(10**18) + 1, 10**18 - 1) | st.text(max_size=8), unique_by=str))
def test_a_session_has_one_key_however_its_id_is_kept(ids: list[int | str]) -> None:
    as_text = [str(value) for value in ids]
    keys = session_keys(pl.Series(as_text, dtype=pl.String))
    assert keys.tolist() == [session_key(text) for text in as_text]
    assert len(set(keys.tolist())) == len(ids)
    numbers = [value for value in ids if isinstance(value, int)]
    assert session_keys(pl.Series(numbers, dtype=pl.Int64)).tolist() == numbers
