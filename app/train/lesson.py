"""The Train page's lesson: the published model learns its sessions by heart, and has nothing to say of a new one."""

import math
from collections.abc import Sequence

import streamlit as st

from app import refused, state, tray
from app.parts import draw, layout
from pipeline.core.text import percent
from pipeline.evaluation.evaluate import evaluations
from pipeline.figures.figure import Figure, blank
from pipeline.models.registry import KINDS
from pipeline.training.train import stage_name

MODEL = "two_tower_published"
_MENDED = ("two_tower", "session")
_PUBLISHED = (
    "Published, after one pass over 26 million clicks: recall@10 of .1765 in training and .0101 in validation "
    "(bbozkaya/merlin-milvus, Apache-2.0)."
)


def show() -> None:
    """Show the two curves of the published model, or offer to train it."""
    st.markdown(
        "Its query tower knows a session by its **id** and by an age that was drawn at random. The id of a session that "
        "begins tomorrow is in no table, so every new session gets the same vector, and the same recommendations."
    )
    points = state.table(stage_name(MODEL), "curve.parquet")
    manifest = state.workspace().manifest(stage_name(MODEL))
    if points is None or manifest is None:
        layout.empty("It is not trained here yet: it takes a few seconds and changes no other model.")
        with refused.below("lesson"):
            if st.button("Train it as published", icon=":material/school:"):
                tray.launch(["train", "--model", MODEL], f"train {MODEL}")
        return
    draw.figure(curves(points.to_dicts(), state.mode()), "lesson")
    st.caption(
        f"recall@10: the share of clicks whose item is among the 10 best of all items of the same "
        f"{manifest['config']['batch_size']:,} clicks, as Merlin Models reports it. {_PUBLISHED}"
    )
    _mended()


def curves(points: Sequence[dict[str, float]], mode: str) -> Figure:
    """Draw recall@10 of clicks that are trained on and of clicks of sessions held out."""
    measures = ("recall@10", "validation_recall@10")
    both = [p for p in points if all(p.get(name) is not None and math.isfinite(p[name]) for name in measures)]
    title = "No recall is measured yet"
    if both:
        seen, new = both[-1]["recall@10"], both[-1]["validation_recall@10"]
        title = (
            f"It finds {percent(seen, 1)} of the clicks it trains on, and {percent(new, 1)} of those in new sessions"
        )
    figure, palette = blank(mode, title)
    lines = (
        ("recall@10", "known sessions", palette.cpu),
        ("validation_recall@10", "new sessions", palette.missed),
    )
    for measure, name, colour in lines:
        figure.add_scatter(
            x=[p["step"] for p in both], y=[100 * p[measure] for p in both], name=name, line={"color": colour, "width": 3},
            hovertemplate="batch %{x:,}: %{y:.3g} %<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_layout(
        xaxis_title="training step (batches)",
        yaxis={"title": "recall@10 within the batch (%)", "rangemode": "tozero"},
    )
    return figure


def _mended() -> None:
    """Say what the models that read clicks reach on the same test sessions, where they are measured."""
    found = evaluations(state.workspace())
    named = [name for name in (MODEL, *_MENDED) if name in found]
    if len(named) < 2:
        st.caption("“Against the baselines” shows how models that read the session's clicks do instead.")
        return
    reached = ", ".join(f"{KINDS[name].title} **{found[name]['recall@20']:.3f}**" for name in named)
    st.markdown(f"Reading the session's clicks fixes this. recall@20 of the next click in test sessions: {reached}.")
