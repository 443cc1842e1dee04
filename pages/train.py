"""Train: choose a model, watch it learn, compare trainings with each other and models with the simplest one."""

import streamlit as st

from app import freshness, making, state, url
from app.errors import errors
from app.parts import layout
from app.train import evaluation, form, learning, lesson, trainings
from pipeline.models.registry import KINDS
from pipeline.training.train import trained

VIEWS = {
    "baselines": ("Against the baselines", evaluation.show),
    "trainings": ("Trainings", trainings.show),
    "lesson": ("Why the published model does not generalise", lesson.show),
}


def main() -> None:
    layout.heading(
        "How well can we predict the next click?",
        "A model learns from past sessions and is tested on sessions it has never seen.",
    )
    if state.workspace().manifest("data") is None:
        if not making.show("data"):
            layout.empty("There are no sessions to train on yet.", "data", "Choose clicks on the Data page")
        return
    for name in trained(state.workspace()):
        if KINDS[name].has_vectors:
            freshness.notice(name)
    model = form.form()
    learning.show(model)
    _, show = VIEWS[_view()]
    show()


def _view() -> str:
    """Let one of the views be chosen: all of them at once would be a long way down on a phone."""
    usual = next(iter(VIEWS))
    shown = url.segments("view", usual, url.one_of(list(VIEWS)))
    return str(
        st.segmented_control(
            "View",
            list(VIEWS),
            format_func=lambda name: VIEWS[name][0],
            required=True,
            label_visibility="collapsed",
            **shown,
        )
    )


with errors():
    main()
