"""Short tables of a page, which a narrow window shows line by line."""

import html
from collections.abc import Mapping, Sequence

import streamlit as st


def show(lines: Sequence[Mapping[str, str]], about: Mapping[str, str], *, words: bool = False) -> None:
    """Draw a short table, numbers to the right or `words` to the left; `about` explains columns.

    Where it has no room for its columns, each line is a block with the columns beneath each other (`style.css`).
    A data frame costs a browser ten times as much, and scrolls sideways there.
    """
    names = list(dict.fromkeys(name for line in lines for name in line))
    head = [f"<th title='{html.escape(about.get(name, ''), quote=True)}'>{html.escape(name)}</th>" for name in names]
    rows = [
        [f"<td data-column='{html.escape(name, quote=True)}'>{html.escape(line.get(name, ''))}</td>" for name in names]
        for line in lines
    ]
    drawn = "".join(f"<tr>{''.join(cells)}</tr>" for cells in (head, *rows))
    kind = "road-table road-words" if words else "road-table"
    st.html(
        f"<div class='road-wide' role='region' aria-label='Table' tabindex='0'><table class='{kind}'>{drawn}</table></div>"
    )
