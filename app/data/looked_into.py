"""What is in a file before anything runs: its columns to confirm, its first rows, what is wrong with which rows."""

from functools import partial
from pathlib import Path

import polars as pl
import streamlit as st

from app import state
from app.data import profile
from app.parts import draw, table, terms
from pipeline.clicks.columns import SAY_COLUMNS
from pipeline.clicks.preview import Preview, preview
from pipeline.clicks.visits import USUAL_GAP
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.text import clipped, number
from pipeline.figures import charts, data

_NONE = "–"
_ROLES = ("session", "time", "item", "category")
_BAD_SHOWN = 5
_EXAMPLE = 24  # characters


@st.cache_data(max_entries=6, show_spinner="Looking into the file")
def _look(path: str, changed: float, asked: str | None, form: str) -> Preview | str:
    """Look into a file; a sentence where that cannot be done. `changed` is its time, so that another is read anew."""
    try:
        return preview(Path(path), asked, form or None)
    except UserError as error:
        return str(error)


def show(path: Path, form: str) -> tuple[str, str] | None:
    """Draw what is in a file; give `--columns` and `--session-gap` as they are confirmed, '' where nothing is asked.

    None where there is no file with clicks, or where it is not known which of its columns is what.
    """
    if not path.is_file():
        st.error(f"There is no file {path}.")
        return None
    changed = path.stat().st_mtime
    found = _look(str(path), changed, None, form)
    if isinstance(found, str):
        st.error(found)
        return None
    asked = _columns(found, str(path))
    if asked:
        again = _look(str(path), changed, asked, form)
        found = found if isinstance(again, str) else again
    users = "user" in found.taken
    gap = _gap(str(path)) if users else ""
    _shown(found)
    return (asked, gap) if found.taken else None


def _columns(found: Preview, path: str) -> str:
    """Ask which column is what, beginning with what was recognised; '' where that is left as it is."""
    st.markdown("**Which column is what?**")
    users = "user" in found.taken
    recognised = {role: found.taken.get("user" if role == "session" and users else role, _NONE) for role in _ROLES}
    chosen: dict[str, str] = {}
    for role, place in zip(_ROLES, st.columns(len(_ROLES)), strict=True):
        guess = recognised[role]
        options = [*[_NONE] * (guess == _NONE or role == "category"), *found.columns]
        label = "session or user" if role == "session" else role
        index = options.index(guess) if guess in options else 0
        shown = partial(_named, found.columns)
        chosen[role] = str(place.selectbox(label, options, index, format_func=shown, key=f"column-{role}-{path}"))
    kind = st.toggle("That column has users, not sessions", users, key=f"users-{path}")
    if "date" in found.taken or (chosen == recognised and kind == users):
        return ""
    if _NONE in (chosen["session"], chosen["time"], chosen["item"]):
        return ""
    named = {"user" if role == "session" and kind else role: name for role, name in chosen.items() if name != _NONE}
    return ",".join(f"{role}={name}" for role, name in named.items())


def _named(columns: dict[str, str], name: str) -> str:
    """Name a column, with an example of what is in it."""
    example = columns.get(name, "")
    return f"{name}: {clipped(example, _EXAMPLE)}" if example else name


def _gap(path: str) -> str:
    minutes = st.number_input(
        "Minutes without a click that end a session", 1.0, 10_000.0, USUAL_GAP, 5.0, key=f"gap-{path}"
    )
    return "" if minutes == USUAL_GAP else f"{minutes:g}"


def _shown(found: Preview) -> None:
    of = "the file" if found.whole else "the file's beginning"
    if found.problem:
        told = found.problem.replace(SAY_COLUMNS, "choose above which column is what")
        st.warning(terms.escaped(told), icon=":material/report:")
    if not found.rows.is_empty():
        rows = [{name: _text(value) for name, value in row.items()} for row in found.rows.head(5).to_dicts()]
        table.show(rows, {}, words=True)
    if found.clicks is None:
        return
    clicks = found.clicks
    whose = "users" if "user" in found.taken else "sessions"
    counted = (
        f"{number(clicks.height)} clicks, {number(clicks[SESSION_ID].n_unique())} {whose} and "
        f"{number(clicks[ITEM_ID].n_unique())} items"
    )
    st.caption(f"In {of}: {counted}.")
    _bad(found)
    with st.expander("Its days, lengths, items and categories"):
        _figures(clicks)


def _bad(found: Preview) -> None:
    if found.bad.is_empty():
        st.caption(":material/check: Every row can be read.")
        return
    count = int(found.bad["rows"].sum())
    what = "row cannot" if count == 1 else "rows cannot"
    st.warning(f"{number(count)} {what} be read; they are left out where you allow as many.", icon=":material/report:")
    rows = [{"row": str(n), "what is wrong": str(why)} for n, _, why in found.bad.head(_BAD_SHOWN).rows()]
    table.show(rows, {}, words=True)


def _figures(clicks: pl.DataFrame) -> None:
    lengths = clicks.group_by(SESSION_ID).len("length")["length"].value_counts()
    items = clicks.group_by(ITEM_ID).len("clicks")["clicks"]
    left, right = st.columns(2, gap="large")
    with left:
        draw.figure(data.clicks_by_day(profile.by_day(clicks.lazy()), state.mode()), key="look-days")
        draw.figure(profile.lengths(lengths, state.mode()), key="look-lengths")
    with right:
        draw.figure(data.popularity(items, state.mode()), key="look-items")
        draw.figure(charts.long_tail(items, state.mode()), key="look-tail")
    counted = profile.named(clicks.group_by(CATEGORY).len("clicks"))
    if counted[CATEGORY].drop_nulls().len():
        draw.figure(data.categories(counted, state.mode()), key="look-categories")
    else:
        st.caption("No click has a category.")


def _text(value: object) -> str:
    return _NONE if value is None else str(value)[:60]
