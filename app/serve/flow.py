"""The ensemble as a picture: each stage, who does it, what comes out of it, and what it took just now."""

import html

import streamlit as st

from app.serve.asking import Asked
from pipeline.models.registry import KINDS
from pipeline.serving.stages.fast import FastPath
from pipeline.serving.stages.served import ServedModel

_FEW = 0.1  # ms: less is not told


def show(path: FastPath, asked: Asked) -> None:
    """Draw the stages in their order; they wrap where the window is narrow."""
    times = asked.told["latency_ms"]
    boxes = "".join(
        f"<li><b>{html.escape(name)}</b><span>{html.escape(who)}</span>"
        f"<span>{html.escape(out)}</span><em>{_ms(times.get(stage, 0.0))}</em></li>"
        for stage, name, who, out in _stages(path.served, asked)
    )
    st.html(f"<ol class='road-flow' aria-label='The stages of this answer'>{boxes}</ol>")


def _stages(served: ServedModel, asked: Asked) -> list[tuple[str, str, str, str]]:
    """List (stage, name, who does it, what comes out)."""
    kept = int((asked.answers.kept[0] >= 0).sum())
    retrieved = int((asked.answers.keys[0] >= 0).sum())
    heat = float(asked.prepared.temperature[0])
    dim = served.known.encoder.vectors.shape[1]
    store = "Feast" if asked.via == "triton" else "Feast's store"
    model = KINDS[str(served.index["model"])].title
    found = [
        (
            "session features",
            "Session",
            store,
            f"{len(asked.prepared.history)} clicks, {len(asked.answers.sessions)} features",
        ),
        ("encode", "Encode", model, f"a vector of {dim}"),
        ("retrieve", "Retrieve", f"Milvus, {served.index['index']}", f"{retrieved} items"),
        ("filter", "Filter", "what was clicked", f"{kept} left"),
    ]
    if served.ranker is not None and served.ranker_name is not None:
        found += [
            ("item features", "Items", store, f"{kept} items' features"),
            ("score", "Score", KINDS[served.ranker_name].title, f"{kept} scores"),
        ]
    how = f"softmax, temperature {heat:.2g}" if heat else "by score"
    return [*found, ("order", "Order", how, f"the best {min(asked.k, kept)}")]


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value >= _FEW else f"< {_FEW} ms"
