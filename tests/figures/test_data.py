"""Figures of a log say the finding in their title, and hold for a log with nothing in it."""

from datetime import date

import polars as pl
import pytest

from pipeline.figures import data
from pipeline.figures.figure import title

DAYS = pl.DataFrame({"day": [date(2024, 3, 1), date(2024, 3, 2)], "clicks": [5, 9]})
STEPS = [
    {"name": "read", "why": "Everything that was read", "clicks": 100, "sessions": 20, "items": 9},
    {"name": "min_session_length", "why": "Sessions of fewer than 2 clicks", "clicks": 80, "sessions": 9, "items": 8},
]
PARTS = pl.DataFrame({"day": [date(2024, 3, 1), date(2024, 3, 2)], "part": ["train", "test"], "sessions": [8, 2]})


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_titles_say_the_finding(mode: str) -> None:
    assert title(data.clicks_by_day(DAYS, mode)) == "The busiest day is 2024-03-02, with 9 clicks"
    counts = pl.Series([40, 1, 1, 2])
    assert title(data.popularity(counts, mode)) == "The most clicked item has 40 clicks, and 50 % of the items have one"
    of = pl.DataFrame({"category": ["a", "b", None], "clicks": [6, 2, 2]})
    assert title(data.categories(of, mode)) == "2 categories, of which “a” takes most: 60 % of the clicks"
    one = pl.DataFrame({"category": ["x" * 60], "clicks": [6]})
    assert title(data.categories(one, mode)) == f"1 category, of which “{'x' * 40}…” takes most: 100 % of the clicks"
    drawn = data.kept(STEPS, mode)
    assert title(drawn) == "80 % of 100 clicks are kept"
    assert list(drawn.data[0].y) == ["without sessions of fewer than 2 clicks", "read"]
    assert list(drawn.data[0].x) == [80, 100]
    assert title(data.timeline(PARTS, "2024-03-02T00:00:00", mode)) == "The last 20 % of the sessions are for testing"


def test_a_log_with_nothing_in_it_is_drawn() -> None:
    mode = "light"
    assert title(data.clicks_by_day(DAYS.head(0), mode)) == "There is no click"
    assert title(data.popularity(pl.Series([], dtype=pl.Int64), mode)) == "No item is clicked yet"
    assert (
        title(
            data.categories(
                pl.DataFrame({"category": [None], "clicks": [3]}, schema_overrides={"category": pl.String}), mode
            )
        )
        == "No item has a category"
    )
    assert title(data.kept([STEPS[0] | {"clicks": 0}], mode)) == "There was no click to keep"
