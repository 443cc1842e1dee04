"""Ids that hold a comma can be named."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ids import candidates, joined, named, parted

_IDS = st.lists(st.text("ab,% 2C", min_size=1).filter(str.strip), min_size=1, max_size=5)


@given(_IDS)
def test_an_id_given_by_itself_is_that_id(ids: list[str]) -> None:
    assert named(ids, set(ids)) == ids
    assert set(ids) <= set(candidates(ids))


@given(st.lists(st.text("ab% 2C", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=5))
def test_ids_without_commas_may_be_given_together(ids: list[str]) -> None:
    text = ", ".join(ids)
    assert named([text], set(ids) - {text}) == ids
    assert candidates([text])[-1] in ids


@given(_IDS)
def test_a_link_keeps_them_apart(ids: list[str]) -> None:
    assert parted(joined(ids)) == ids


def test_the_whole_value_comes_before_its_parts() -> None:
    assert named(["a,b", "a, c ,"], {"a", "b", "a,b"}) == ["a,b", "a", "c"]
    assert named([" , "], set()) == []
