"""The Streamlit entry: pages, theme, and the tray of jobs."""

import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from app import state, tray  # noqa: E402
from pipeline.errors import UserError  # noqa: E402

PAGES = (
    ("overview.py", "Overview", ":material/route:"),
    ("data.py", "Data", ":material/database:"),
    ("train.py", "Train", ":material/model_training:"),
    ("index.py", "Index", ":material/account_tree:"),
    ("recommend.py", "Recommend", ":material/shopping_bag:"),
    ("map.py", "Map", ":material/map:"),
)


def main() -> None:
    """Draw the chosen page beside the tray."""
    st.set_page_config(page_title="From clicks to recommendations", page_icon=":material/route:", layout="wide")
    pages = [
        st.Page(
            ROOT / "pages" / file,
            title=title,
            icon=icon,
            url_path=title.lower() if number else None,
            default=not number,
        )
        for number, (file, title, icon) in enumerate(PAGES)
    ]
    chosen = st.navigation(pages)
    try:
        opened = state.workspace()
    except UserError as error:
        st.error(str(error))
        st.stop()
    if opened.stages("indexes"):
        state.hold()  # begins to start Milvus, without waiting
    with st.sidebar:
        tray.show()
        st.caption(f"Workspace `{opened.root.name}`")
    chosen.run()


main()
