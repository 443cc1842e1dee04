"""Which workspace a visitor is in: the one that the URL names, else the one chosen before, else the app's own."""

import json

import streamlit as st

from app import routes, state, url
from app.state import CHOSEN
from pipeline.store.snapshot import once
from pipeline.workspaces.places import names

PARAMETER = "workspace"
_TOLD = """<script>window.chosenWorkspace = {name};</script>"""


def enter() -> str:
    """Take the workspace from the URL, or write it there; give a sentence where it is gone, '' otherwise."""
    asked = url.everywhere(PARAMETER) or str(st.session_state.get(CHOSEN, ""))
    here = asked in _names()
    if not here:
        st.session_state.pop(CHOSEN, None)
    elif asked:
        st.session_state[CHOSEN] = asked
    url.put_everywhere(PARAMETER, asked if here else "")
    st.html(_TOLD.format(name=json.dumps(asked if here else "")), unsafe_allow_javascript=True)
    if not asked or here:
        return ""
    return f"There is no workspace “{asked[:60]}”: it was renamed or deleted. This is “{state.start().name}”."


def choose(name: str) -> None:
    """Go to another workspace, at the next draw."""
    st.session_state[CHOSEN] = name
    url.put_everywhere(PARAMETER, name)


def show() -> None:
    """Draw which one it is, and the others to choose from where there are any."""
    known, now = list(_names()), state.root().name
    if len(known) == 1:
        st.caption(f"Workspace `{now}`")
        return
    st.selectbox("Workspace", known, known.index(now), key=f"chosen-{now}", on_change=_changed, args=(f"chosen-{now}",))
    st.page_link(routes.page("workspaces"), label="All workspaces", icon=":material/folder_open:")


def _changed(key: str) -> None:
    choose(str(st.session_state[key]))


def _names() -> dict[str, object]:
    return dict(once("workspaces", lambda: names(state.start())))
