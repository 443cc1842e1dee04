"""Serve: one request in four stages, in the app or on Triton: what each stage changes, and what it costs."""

import streamlit as st

from app import making, refused, state, tray
from app.errors import errors
from app.parts import cards, draw, layout
from app.serve import asking, flow, load, many, snippets, stages, triton
from app.serve.served import fast_path
from pipeline.core.errors import UserError
from pipeline.figures import serving
from pipeline.indexes.registry import list_indexes
from pipeline.serving.features.repository import is_online
from pipeline.serving.stages.answer import STAGES

PREPARE = (["features", "apply"], "features apply")
FILL = (["features", "materialize"], "features materialize")


def main() -> None:
    layout.heading(
        "What does a ranked answer cost, and what does each stage change?",
        "Retrieve a hundred items with Milvus, leave out what was seen, score each with the ranker, order them.",
    )
    if not any(row["vectors"] == "items" for row in list_indexes(state.workspace())):
        if not making.show("indexes"):
            layout.empty(
                "Serving needs a trained model and an index of its items.",
                "overview",
                "Run the demo on the Overview page",
            )
        return
    try:
        path = fast_path()
    except UserError as error:
        _prepare(error)
        return
    with refused.below("serve"):
        triton.show()
    question = asking.choose(path)
    if question is not None:
        with errors():
            _answer(path, question)
    many.show(path.served)
    load.show()


def _prepare(error: UserError) -> None:
    """Say what is missing, and offer to make what takes no training."""
    if making.show("features"):
        return
    with refused.below("serve"):
        layout.empty(f"{error}")
        missing = not is_online(state.workspace())
        if missing and st.button("Put the features online", icon=":material/play_arrow:", type="primary"):
            tray.launch(*PREPARE, then=[FILL])


def _answer(path: asking.FastPath, question: asking.Question) -> None:
    asked = asking.answer(path, question)
    served, told = path.served, asked.told
    if served.ranker is None:
        st.caption("No ranker is trained over this model: three stages. Train `dlrm` on the Train page for the fourth.")
    flow.show(path, asked)
    st.markdown("**Clicked so far**")
    cards.show(told["history"][-asking.SHOWN :], state.mode())
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Recommended next**")
        cards.show(told["items"][: asked.k], state.mode())
    with right:
        draw.figure(serving.timeline(told["latency_ms"], STAGES, state.mode()), "timeline", name="stages")
        dropped = f", {told['dropped']} left out" if told["dropped"] else ""
        st.caption(f"{served.candidates} retrieved through {served.index['name']}{dropped}.")
    stages.show(path, asked)
    snippets.show(path, asked)


with errors():
    main()
