"""Data: choose clicks, see what is in them, split them into sessions."""

import streamlit as st

from app import freshness, making, state
from app.data import choose, profile, split
from app.errors import errors
from app.parts import layout


def main() -> None:
    layout.heading(
        "Which clicks do we learn from?", "Choose a data set or upload your own, then run the pipeline on it."
    )
    top, kept = st.container(), list[str]()
    with errors():  # what is wrong with the clicks read last is no reason not to choose others
        kept = _below()
    with top:
        choose.show(kept)


def _below() -> list[str]:
    """Draw what is in the clicks and what is kept of them; give the options that were chosen, as arguments."""
    manifest = state.workspace().manifest("clicks")
    if manifest is None:
        if not making.show("clicks"):
            layout.empty(
                "There are no clicks yet: press “Run the whole pipeline” above, and this page shows what is in them."
            )
        return split.beforehand()
    freshness.notice(state.model())
    profile.show(manifest)
    return split.show()


with errors():
    main()
