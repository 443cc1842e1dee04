"""The Streamlit entry: pages, theme, and the tray of jobs."""

import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from app import memory, refused, routes, state, tray, url  # noqa: E402
from app.workspaces import chosen  # noqa: E402
from pipeline.core.errors import UserError  # noqa: E402
from pipeline.store.snapshot import snapshot  # noqa: E402


def main() -> None:
    """Draw the chosen page beside the tray."""
    st.set_page_config(
        page_title="From clicks to recommendations", page_icon=str(ROOT / "assets" / "icon.png"), layout="wide"
    )
    st.html(Path(__file__).with_name("style.css"))
    page = st.navigation([routes.page(name) for name in routes.PAGES])
    url.enter(page.url_path)
    gone = chosen.enter()
    try:
        opened = state.workspace()
    except UserError as error:
        st.error(str(error))
        st.stop()
    with st.sidebar:
        tray.show()
        chosen.show()
    if gone:
        st.warning(gone, icon=":material/folder_off:")
    with refused.elsewhere():
        page.run()
    if opened.stages("indexes"):
        state.hold()  # begins to start Milvus beside, once the page is painted
    memory.collect_by_time()


with snapshot():
    main()
