"""What is dropped and why: each step's report, options that disagree, and categories."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.sessions.categories import cleaned
from pipeline.sessions.config import PreprocessConfig, read_options
from pipeline.sessions.dropping import Kept, drop
from tests.sessions.plainly import sessions_left

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
CLICKS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=40)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "min_item_count": st.integers(1, 6),
        "last_days": st.integers(0, 12),
        "min_session_length": st.integers(2, 4),
        "max_session_length": st.sampled_from([0, 4, 8]),
        "collapse_repeats": st.booleans(),
    },
)


@given(CLICKS, OPTIONS)
def test_the_report_counts_what_a_plain_reading_keeps(
    clicks: list[tuple[int, int, int]], given: dict[str, Any]
) -> None:
    rows = sorted(((s, BEGIN + timedelta(days=day), f"i{item}") for s, day, item in clicks), key=lambda row: row[:2])
    frame = pl.DataFrame(rows, schema=["session_id", "timestamp", "item_id"], orient="row")
    items = frame.select("item_id").unique().sort("item_id")
    config = PreprocessConfig(**given)
    kept, steps = drop(Kept.of(frame.lazy(), items), config)
    left = sessions_left(rows, config)
    ids = items["item_id"]
    assert [(s, t, ids[code]) for s, t, code in kept.clicks.select("session_id", "timestamp", "item").rows()] == [
        (s, time, item) for s, of in left.items() for time, item in of
    ]
    assert (steps[0].clicks, steps[0].sessions) == (len(rows), len({s for s, _, _ in rows}))
    last = steps[-1]
    assert (last.clicks, last.sessions) == (sum(map(len, left.values())), len(left))
    assert last.items == len({item for of in left.values() for _, item in of})
    for before, after in pairwise(steps):
        assert after.clicks <= before.clicks
        assert after.sessions <= before.sessions
        assert after.items <= before.items


def test_fractions_are_read_as_the_literature_writes_them() -> None:
    assert read_options(["train_share=1/64", "test_days=1"]) == {"train_share": 1 / 64, "test_days": 1}
    assert PreprocessConfig(train_share=0.25).written() == {
        "test_from": None,
        "min_item_count": 1,
        "train_share": 0.25,
    }


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["train_share=1/0"], "train_share '1/0' is not a number"),
        (["train_share=0"], "train_share 0.0 is out of range"),
        (["test_days=1", "test_share=0.1"], "test_share and test_days each say where testing begins"),
        (["max_session_length=1"], "max_session_length 1 is below min_session_length 2"),
        (["min_lenght=1"], "Preprocessing has no option 'min_lenght'"),
        (["last_days=-1"], "last_days -1 is out of range: choose 0 to 100,000"),
    ],
)
def test_options_that_cannot_be_are_a_sentence(texts: list[str], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        PreprocessConfig(**read_options(texts))


def test_categories_get_one_spelling_and_rare_ones_go() -> None:
    items = pl.DataFrame(
        {
            "item_id": ["a", "b", "c", "d", "e", "f", "g"],
            "category": ["Shoes", "shoes ", "SHOES", "0", "S", "hats", None],
            "clicks": [1, 5, 2, 9, 9, 1, 1],
        }
    )
    found, note = cleaned(items, PreprocessConfig(clean_categories=True))
    assert found["category"].to_list() == ["shoes", "shoes", "shoes", None, None, "hats", None]
    assert found.columns == items.columns
    assert note == "6 categories became 2; 3 of 7 items have none."
    found, _ = cleaned(items, PreprocessConfig(clean_categories=True, min_category_count=2))
    assert found["category"].to_list() == ["shoes", "shoes", "shoes", None, None, None, None]
    assert cleaned(items, PreprocessConfig()) == (items, "")
