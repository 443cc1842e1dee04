"""Many requests at once: what was measured last, and the form that measures anew."""

import time
from typing import Any

import streamlit as st

from app import making, state, tray, url
from app.parts import draw, layout, table
from app.serve import triton
from pipeline.bench.serving.load import LoadConfig, newest
from pipeline.core.errors import UserError
from pipeline.core.text import age
from pipeline.figures import serving

_ABOUT = {
    "in the app": "Median of one session alone, asked again and again",
    "adds": "What Triton's way takes longer",
}
_WHY = {
    "Feast": "reads sessions and items",
    "TensorFlow": "runs query tower and ranker; the app has both in NumPy",
    "QueryMilvus": "is the same search, from within Triton",
    "Triton and the wire": "carries the request from process to process",
}


def show() -> None:
    """Draw the newest result and what measures another."""
    st.subheader("What happens when many ask?", anchor=False)
    _form()
    if making.show("serving load"):
        return
    found = newest(state.workspace())
    if found is None:
        layout.empty(
            "Nothing is measured yet: it takes about a minute, and asks the app's way and, if it runs, Triton."
        )
        return
    left, right = st.columns(2, gap="large")
    with left:
        draw.figure(serving.throughput(found["rows"], state.mode()), "throughput", name="sessions-per-second")
    with right:
        draw.figure(serving.waiting(found["rows"], state.mode()), "waiting", name="latency")
    if found["added"]:
        _added(found["added"])
    st.caption(
        f"{found['items']:,} items, {found['stages']} stages, index {found['index']}, {found['machine']}; client processes "
        f"on the same machine. Measured {age(time.time() - found['measured'])}."
    )


def _added(rows: list[dict[str, Any]]) -> None:
    most = max(rows, key=lambda row: row["added_ms"])
    st.html(
        f"<div class='road-title'>Of what Triton adds to one request, most is {most['part']}: {most['added_ms']:.1f} ms</div>"
    )
    lines = [
        {
            "part": f"{row['part']}, which {_WHY[row['part']]}" if row["part"] in _WHY else row["part"],
            "in the app": f"{row['fast_ms']:.1f} ms",
            "by Triton": f"{row['triton_ms']:.1f} ms",
            "adds": f"{row['added_ms']:+.1f} ms",
        }
        for row in rows
    ]
    table.show(lines, _ABOUT)


def _form() -> None:
    with st.expander("Measure", icon=":material/speed:"):
        left, middle, right, button = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
        clients = left.text_input("Clients", help="One point for each.", **url.bound("clients", "1,4,16", url.text))
        batch = middle.number_input(
            "Batch",
            1,
            1024,
            help="Sessions in a request of one more point.",
            **url.bound("batch", 32, url.whole(1, 1024)),
        )
        seconds = right.number_input("Seconds a point", 1, 120, **url.bound("each", 5, url.whole(1, 120)))
        running = triton.now()["state"] == "ready"
        via = "fast,triton" if running else "fast"
        config: LoadConfig | None = None
        try:
            config = LoadConfig.read(via, clients, int(batch), float(seconds))
        except UserError as error:
            st.caption(str(error))
        words = ["serve", "load", "--via", via, "--clients", clients, "--batch", str(batch), "--seconds", str(seconds)]
        if button.button("Measure", icon=":material/play_arrow:", disabled=config is None, width="stretch"):
            tray.launch(words, "serve load")
        if config is not None:
            count = len(config.points())
            st.caption(
                f"{count} points of {seconds} s, "
                + ("the app's way and Triton" if running else "the app's way alone: Triton is not running")
            )
