"""A session that a person builds, one click at a time: search, take a click out, undo, clear."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app import url
from app.parts import terms
from pipeline.indexes.known import KnownItems

_FOUND, _NEXT, _OUT, _BEFORE = "basket-found", "basket-next", "basket-out", "basket-before"


def names(known: KnownItems) -> dict[str, str]:
    """Give the name of each item that can be added, by its id."""
    return _names(known, known.key)


@st.cache_resource(max_entries=4, show_spinner=False)
def _names(_known: KnownItems, key: str) -> dict[str, str]:
    return terms.names(_known.catalogue)


def clicked(names: Mapping[str, str]) -> list[str]:
    """Give the items of the session so far, as the URL has them; an item may have been clicked twice."""
    nothing: list[str] = []
    return url.value("items", nothing, url.some_of(names, repeats=True))


def edit(names: Mapping[str, str]) -> list[str]:
    """Draw the search and the clicks so far, each of which can be taken out; give them."""
    history = clicked(names)
    st.selectbox(
        "Add an item",
        list(names),
        index=None,
        format_func=names.__getitem__,
        placeholder="Search an item",
        filter_mode="contains",
        key=_FOUND,
        on_change=_add,
        args=(_FOUND, history),
    )
    if history or st.session_state.get(_BEFORE):
        _row(names, history)
    return history


def _row(names: Mapping[str, str], history: list[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if history:
            st.pills(
                "Clicks so far: choose one to take it out",
                range(len(history)),
                format_func=lambda place: f"{place + 1}. {names[history[place]]} ✕",
                key=_OUT,
                on_change=_take_out,
                args=(history,),
            )
        why = None if st.session_state.get(_BEFORE) else "Nothing has been changed yet."
        st.button("Undo", icon=":material/undo:", disabled=bool(why), help=why, on_click=_undo)
        why = None if history else "Nothing is clicked yet."
        st.button(
            "Clear", icon=":material/clear_all:", disabled=bool(why), help=why, on_click=_change, args=(history, [])
        )


def offer(items: Mapping[str, str], history: list[str]) -> None:
    """Let a recommended item (its name by its id) be clicked next."""
    st.pills(
        "Click one to continue the session",
        list(items),
        format_func=items.__getitem__,
        key=_NEXT,
        on_change=_add,
        args=(_NEXT, history),
    )


def _add(key: str, history: list[str]) -> None:
    """Append what was chosen; a callback, as a widget's value cannot change after it is drawn."""
    chosen = st.session_state.get(key)
    if chosen is not None:
        st.session_state[key] = None
        _change(history, [*history, chosen])


def _take_out(history: list[str]) -> None:
    place = st.session_state.get(_OUT)
    if place is not None:
        st.session_state[_OUT] = None
        _change(history, history[:place] + history[place + 1 :])


def _change(history: list[str], new: Sequence[str]) -> None:
    st.session_state.setdefault(_BEFORE, []).append(history)
    url.put(items=url.joined(new))


def _undo() -> None:
    if before := st.session_state.get(_BEFORE):
        url.put(items=url.joined(before.pop()))
