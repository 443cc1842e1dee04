"""Ids that hold a comma can be named, and tables are matched by id whatever type their ids had when they were made."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.columns import ITEM_ID
from pipeline.core.ids import candidates, matched, named_ids
from pipeline.models.two_tower_published.model import PublishedTwoTower

_TYPES = st.sampled_from([pl.String, pl.Int64, pl.Int32, pl.UInt64])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 30), max_size=20),
    st.sets(st.integers(0, 30), max_size=20),
    _TYPES,
    _TYPES,
)
def test_ids_are_matched_as_text_in_the_order_of_the_rows(
    rows: list[int], known: set[int], left: type[pl.DataType], right: type[pl.DataType]
) -> None:
    asked = pl.DataFrame({ITEM_ID: pl.Series(rows, dtype=pl.Int64).cast(left)})
    told = pl.DataFrame({ITEM_ID: pl.Series(sorted(known), dtype=pl.Int64).cast(right)}).with_row_index("row")
    found = matched(asked, told, ITEM_ID)
    assert found.columns == [ITEM_ID, "row"]
    assert found[ITEM_ID].equals(asked[ITEM_ID])
    assert found["row"].to_list() == [sorted(known).index(one) if one in known else None for one in rows]


def test_text_that_only_looks_like_a_number_is_another_id() -> None:
    told = pl.DataFrame({ITEM_ID: [7], "name": ["seven"]})
    assert matched(pl.DataFrame({ITEM_ID: ["07", "7", "x"]}), told, ITEM_ID)["name"].to_list() == [None, "seven", None]


def test_a_model_knows_its_sessions_when_their_ids_have_become_text() -> None:
    sessions, unknown = np.eye(3, 2, dtype=np.float32), np.full(2, 9, np.float32)
    model = PublishedTwoTower(sessions, unknown, pl.Series([10, 11, 12]), sessions)
    assert model.encode_sessions(pl.Series(["12", "x10", "10"])).tolist() == [[0, 0], [9, 9], [1, 0]]


_IDS = st.lists(st.text("ab,% 2C", min_size=1).filter(str.strip), min_size=1, max_size=5)


@given(_IDS)
def test_an_id_given_by_itself_is_that_id(ids: list[str]) -> None:
    assert named_ids(ids, set(ids)) == ids
    assert set(ids) <= set(candidates(ids))


@given(st.lists(st.text("ab% 2C", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=5))
def test_ids_without_commas_may_be_given_together(ids: list[str]) -> None:
    text = ", ".join(ids)
    assert named_ids([text], set(ids) - {text}) == ids
    assert candidates([text])[-1] in ids


def test_the_whole_value_comes_before_its_parts() -> None:
    assert named_ids(["a,b", "a, c ,"], {"a", "b", "a,b"}) == ["a,b", "a", "c"]
    assert named_ids([" , "], set()) == []
