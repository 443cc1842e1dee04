"""Users' clicks are cut into sessions where nothing is clicked for a while, as a plain reading cuts them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clicks.source import ClickSource, read_source, source_digest
from pipeline.clicks.visits import cut_sessions
from pipeline.core.errors import UserError

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
CLICKS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 300)), min_size=1, max_size=40)  # user, minute


@given(CLICKS, st.sampled_from([1.0, 30.0, 0.5]))
def test_a_session_ends_after_the_gap(clicks: list[tuple[int, int]], gap: float) -> None:
    rows = [(user, BEGIN + timedelta(minutes=minute), "i", "0") for user, minute in sorted(clicks)]
    frame = pl.DataFrame(rows, schema=["session_id", "timestamp", "item_id", "category"], orient="row")
    found, note = cut_sessions(frame, gap)
    expected: list[str] = []
    numbers: dict[int, int] = {}
    last: dict[int, datetime] = {}
    for user, time, *_ in rows:
        ended = user in last and (time - last[user]).total_seconds() > gap * 60
        numbers[user] = numbers.get(user, 1) + ended
        last[user] = time
        expected.append(f"{user}-{numbers[user]}")
    assert found["session_id"].to_list() == expected
    assert found.drop("session_id").equals(frame.drop("session_id"))
    assert f"{len(numbers)} users are cut into {sum(numbers.values())} sessions" in note


LOG = """visitorid,timestamp,itemid
7,2024-03-01T10:00:00Z,a
7,2024-03-01T11:00:00Z,c
7,2024-03-01T10:10:00Z,b
8,2024-03-01T10:00:00Z,a
"""


@pytest.mark.parametrize(
    ("columns", "gap", "sessions"),
    [
        (None, None, ["7-1", "7-1", "7-2", "8-1"]),
        ("user=visitorid,time=timestamp,item=itemid", None, ["7-1", "7-1", "7-2", "8-1"]),
        ("user=1,time=2,item=3", 5.0, ["7-1", "7-2", "7-3", "8-1"]),
        ("session=visitorid,time=timestamp,item=itemid", None, [7, 7, 7, 8]),
        ("session=visitorid,time=timestamp,item=itemid", 30.0, ["7-1", "7-1", "7-2", "8-1"]),
    ],
)
def test_a_log_of_users(tmp_path: Path, columns: str | None, gap: float | None, sessions: list[object]) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    found = read_source(ClickSource(str(path), columns, session_gap=gap))
    assert found.clicks["session_id"].to_list() == sessions
    assert found.clicks["item_id"].to_list() == ["a", "b", "c", "a"]


def test_the_gap_counts_in_the_digest_only_where_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    digests = {source_digest(ClickSource(str(path), session_gap=gap)) for gap in (None, 5.0, 30.0)}
    assert len(digests) == 3
    assert "session_gap" not in repr(ClickSource("a"))


@pytest.mark.parametrize("gap", [0.0, -1.0, float("nan"), 1e9])
def test_a_gap_that_is_none_is_a_sentence(tmp_path: Path, gap: float) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    with pytest.raises(UserError, match="--session-gap .* is out of range"):
        read_source(ClickSource(str(path), session_gap=gap))
