"""Every figure of a page is drawn here, under its title."""

import html
from typing import Any

import streamlit as st

from pipeline.figures.figure import Figure, saving, title


def figure(drawn: Figure, key: str | None = None, *, name: str = "figure", zoom: bool = False, **more: Any) -> Any:
    """Draw a figure under its title, which wraps at the figure's width; the camera saves both as `name`.png.

    `zoom` lets the mouse's wheel zoom; `more` goes to Streamlit, whose answer is given.
    """
    with st.container(gap="xxsmall"):
        st.html(f"<div class='road-title'>{html.escape(title(drawn))}</div>")
        config = saving(drawn, name) | {"scrollZoom": zoom}
        return st.plotly_chart(drawn, theme=None, key=key, config=config, **more)
