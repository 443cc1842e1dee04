"""Blocks of a log hold what a plain reading of it gives; what is wanted comes first."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.serving.many.answering import first
from pipeline.serving.many.sessions import Names, SessionLog

NAMES = Names.of(np.array([9, 3, 4, 7]), pl.Series(["d", "a", "b", "c"]))
KEYS = {"a": 3, "b": 4, "c": 7, "d": 9}
SESSIONS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "x"]), min_size=1, max_size=5), min_size=1)


@given(SESSIONS, st.integers(1, 4))
def test_blocks_hold_each_session_that_has_a_known_click_once_and_in_order(
    sessions: list[list[str]], size: int
) -> None:
    rows = [(f"s{n}", item) for n, items in enumerate(sessions) for item in items]
    log = SessionLog.of(pl.DataFrame(rows, schema=["session_id", "item_id"], orient="row"), NAMES)
    found, asked = {}, 0
    for block, count in log.blocks(0, len(log), size, 3, 8):
        asked += count
        for n, session in enumerate(block.sessions):
            found[session] = block.requests.values[slice(*block.requests.offsets[n : n + 2])].tolist()
    known = {f"s{n}": [KEYS.get(i, -1) for i in items] for n, items in enumerate(sessions)}
    assert found == {session: keys for session, keys in known.items() if any(3 <= key < 8 for key in keys)}
    assert list(found) == sorted(found, key=lambda session: int(session[1:]))
    assert asked <= len(log)


@given(st.lists(st.sampled_from([3, 4, 7, 9, 5, -1, 100]), min_size=1))
def test_a_key_has_its_name_or_none(keys: list[int]) -> None:
    by_key = {key: name for name, key in KEYS.items()}
    assert NAMES.of_keys(np.array(keys)).to_list() == [by_key.get(key) for key in keys]


@given(
    st.integers(1, 6).flatmap(
        lambda k: st.lists(st.lists(st.booleans(), min_size=k, max_size=k), min_size=1, max_size=4)
    ),
    st.integers(1, 8),
)
def test_what_is_wanted_comes_first_in_its_order(wanted: list[list[bool]], k: int) -> None:
    flags = np.array(wanted)
    keys = np.arange(flags.size).reshape(flags.shape)
    best, scores = first(keys, -keys.astype(np.float32), flags, k)
    for row, found in enumerate(best):
        expected = keys[row][flags[row]][:k].tolist()
        assert found[: len(expected)].tolist() == expected
        assert (found[len(expected) :] == -1).all()
        assert np.isnan(scores[row][len(expected) :]).all()
        assert (scores[row][: len(expected)] == -found[: len(expected)]).all()
