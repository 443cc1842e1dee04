"""The pages: file, title and icon of each, in the order of the pipeline."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

_FOLDER = Path(__file__).resolve().parent.parent / "pages"
PAGES = {
    "overview": ("Overview", ":material/route:"),
    "data": ("Data", ":material/database:"),
    "train": ("Train", ":material/model_training:"),
    "index": ("Index", ":material/account_tree:"),
    "recommend": ("Recommend", ":material/shopping_bag:"),
    "serve": ("Serve", ":material/lan:"),
    "map": ("Map", ":material/map:"),
    "benchmark": ("Benchmark", ":material/speed:"),
    "workspaces": ("Workspaces", ":material/folder_open:"),
}


def page(name: str) -> StreamlitPage:
    """Give the page called `name`, to navigate or to link to."""
    title, icon = PAGES[name]
    return st.Page(_FOLDER / f"{name}.py", title=title, icon=icon, default=name == "overview")
