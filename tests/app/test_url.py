"""What a URL says is untrusted: every reader takes any text, and gives what is allowed or None."""

import re

from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app import url
from pipeline.core.project import PROJECT

NASTY = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["²", "--5", "-", "1e9", "nan", "inf", "-inf", "9" * 5000, "1_0", "٣", " 5", "\x00", "%ZZ", "none"]
    ),
    st.integers().map(str),
    st.floats().map(str),
)


@given(NASTY, st.integers(-1000, 1000), st.integers(0, 1000))
def test_a_whole_number_lies_within_its_limits(text: str, low: int, more: int) -> None:
    found = url.whole(low, low + more)(text)
    assert found is None or low <= found <= low + more


@given(st.integers())
def test_a_whole_number_is_the_nearest_that_is_allowed(number: int) -> None:
    assert url.whole(-50, 50)(str(number)) == min(max(number, -50), 50)


@given(NASTY)
def test_a_number_is_finite_and_lies_within_its_limits(text: str) -> None:
    found = url.real(0.5, 2.0)(text)
    assert found is None or 0.5 <= found <= 2.0


@given(NASTY)
def test_names_are_those_that_there_are(text: str) -> None:
    assert url.one_of(["a", "b"])(text) in (None, "a", "b")
    assert set(url.some_of(["a", "b"])(text) or []) <= {"a", "b"}
    assert url.flag(text) in (None, True, False)


@given(st.lists(st.text(min_size=1, max_size=10), unique=True, max_size=6))
def test_names_are_read_as_they_were_written_whatever_is_in_them(names: list[str]) -> None:
    assert url.some_of(names)(url.joined(names)) == names
    assert url.some_of(names, repeats=True)(url.joined(names * 2)) == (names * 2 if names else [])


def _page() -> None:
    import streamlit as st

    from app import url

    st.number_input("Number", 0.0, 1.0, **url.bound("number", 0.95, url.real(0.0, 1.0)))
    st.selectbox("Choice", ["x", "y"], **url.choice("choice", "y", ["x", "y"]))
    st.segmented_control("Segments", ["x", "y"], required=True, **url.segments("segment", "y", url.one_of("xy")))
    st.slider("Slider", 1, 50, **url.bound("slider", 10, url.whole(1, 50)))


def test_a_browser_that_misses_a_run_still_has_the_value_and_not_the_widgets_own_default() -> None:
    """A value that is only in the session's state is sent once; a box of a recall fell to 0 by itself."""
    page = AppTest.from_function(_page).run().run()
    assert page.number_input[0].proto.default == 0.95
    assert page.selectbox[0].proto.default == 1
    assert list(page.button_group[0].proto.default) == [1]
    assert list(page.slider[0].proto.default) == [10]
    page.query_params["number"] = "0.5"
    page.run()
    assert (page.number_input[0].value, page.number_input[0].proto.default) == (0.5, 0.5)


def _segments() -> None:
    import streamlit as st

    from app import url

    usual = "y" if st.session_state.get("measured") else "x"
    st.segmented_control("Segments", ["x", "y"], required=True, **url.segments("segment", usual, url.one_of("xy")))


def test_a_default_that_moved_is_not_undone_by_a_browser_that_had_not_heard_of_it() -> None:
    """A fragment's request under way said "x" when the first run had just put "y" in its place, and "x" was kept."""
    page = AppTest.from_function(_segments).run()
    before, echo = page._tree, page.button_group[0].value
    page.session_state["measured"] = True
    page.run()
    page._tree = before
    page.button_group[0].set_value(echo)
    page.run()
    assert page.button_group[0].value == "y"
    assert not page.query_params


def test_no_page_binds_a_widget_to_the_url_in_another_way() -> None:
    files = [*PROJECT.glob("app/**/*.py"), *PROJECT.glob("pages/*.py")]
    found = [f.name for f in files if re.search(r"st\.query_params", f.read_text()) and f.name != "url.py"]
    assert not found
