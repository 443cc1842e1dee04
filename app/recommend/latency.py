"""Where a query's time went, as bars of HTML: a Plotly figure would take longer to draw than Milvus to answer."""

import html
from collections.abc import Mapping

import streamlit as st

from pipeline.figures.theme import PALETTES


def show(times: Mapping[str, float], mode: str) -> None:
    """Draw the parts of an answer's time under their sum; `times` in ms: encode, search and total."""
    st.html(bars(times, mode))


def bars(times: Mapping[str, float], mode: str) -> str:
    """Write a title and a bar for each part, as long as its share of the longest."""
    palette = PALETTES[mode]
    rest = max(times["total"] - times["encode"] - times["search"], 0.0)
    parts = [
        ("encode the session", times["encode"], palette.session),
        ("search in Milvus", times["search"], palette.cpu),
        ("describe the items", rest, palette.exact),
    ]
    longest = max(value for _, value, _ in parts) or 1.0
    drawn = "".join(
        f"<span>{html.escape(name)}</span><span class='road-track'><span style='width:{100 * value / longest:.1f}%;"
        f"background:{colour}'></span></span><span>{value:.2f} ms</span>"
        for name, value, colour in parts
    )
    return f"<div class='road-title'>Answered in {times['total']:.1f} ms</div><div class='road-bars'>{drawn}</div>"
