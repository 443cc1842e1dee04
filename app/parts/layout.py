"""What every page has: its question, the model that it speaks of, and what to press where there is nothing yet."""

import streamlit as st

from app import routes, state, url
from pipeline.models.registry import KINDS
from pipeline.training.train import trained


def heading(question: str, about: str) -> None:
    """Head a page with the question that it answers."""
    st.title(question)
    st.caption(about)


def choose_model() -> None:
    """Let a page speak of another model that is trained and makes vectors, where there are several."""
    able = [name for name in trained(state.workspace()) if KINDS[name].has_vectors]
    if len(able) < 2:
        return
    shown = url.segments("model", state.usual_model(), url.one_of(able))
    st.segmented_control("Model", able, format_func=lambda name: KINDS[name].title, required=True, **shown)


def empty(text: str, page: str | None = None, label: str = "") -> None:
    """Say what is missing and what to press, with a link to where that is."""
    with st.container(border=True):
        st.markdown(f":material/info: {text}")
        if page is not None:
            st.page_link(routes.page(page), label=label, icon=":material/arrow_forward:")
