"""Train: choose a model, watch it learn, compare trainings with each other and models with the simplest one."""

import streamlit as st

from app import judged, learning, lesson, parts, state, trainform, trainings

VIEWS = {
    "baselines": ("Against the baselines", judged.show),
    "trainings": ("Trainings", trainings.show),
    "lesson": ("Why the published model does not generalise", lesson.show),
}


def main() -> None:
    parts.heading(
        "How well can the next click be foreseen?",
        "A model learns from sessions that have ended; those that it has never seen tell how well.",
    )
    if state.workspace().manifest("data") is None:
        parts.empty("There are no sessions to train on yet.", "data", "Choose clicks on the Data page")
        return
    model = trainform.form()
    learning.show(model)
    _, show = VIEWS[_view()]
    show()


def _view() -> str:
    """Let one of the views be chosen: all of them at once would be a long way down on a phone."""
    usual = next(iter(VIEWS))
    asked = state.url("view", usual)
    start = asked if asked in VIEWS else usual
    chosen = st.segmented_control(
        "View", list(VIEWS), default=start, format_func=lambda name: VIEWS[name][0], label_visibility="collapsed"
    )
    view = str(chosen or start)
    state.remember(view=view if view != usual else None)
    return view


with parts.errors():
    main()
