"""What the app answers with: loaded once, and again when a stage it is made of has changed."""

import streamlit as st

from app import state
from pipeline.serving.stages.fast import FastPath
from pipeline.serving.stages.served import find_served
from pipeline.store.snapshot import once
from pipeline.store.workspace import Workspace, read_json

_KINDS = ("models", "indexes", "features", "data")


def fast_path() -> FastPath:
    """Give the stages of what is in use, ready to answer; raise UserError where a part is missing."""
    opened = state.workspace()
    return once("fast path", lambda: _fast_path(str(opened.root), _state(opened)))


@st.cache_resource(max_entries=2, show_spinner="Reading the model and the ranker")
def _fast_path(root: str, state: str) -> FastPath:
    return FastPath(find_served(Workspace.open(root)))


def _state(opened: Workspace) -> str:
    """Tell apart whatever may answer otherwise: the stages, which index is in use, and what is online."""
    names = [name for kind in _KINDS for name in [kind, *opened.stages(kind)]]
    keys = [(name, (opened.manifest(name) or {}).get("key")) for name in dict.fromkeys(names)]
    filled = [path.read_text() for path in sorted((opened.root / "features").glob("*/filled.json"))]
    return repr((keys, read_json(opened.root / "serving.json"), filled))
