"""The table of a benchmark's front: what is worth choosing, with what recommendations lose there."""

from typing import Any

import polars as pl
import streamlit as st

from app import refused, state, tray
from app.benchmark import builds
from app.parts import table, terms
from pipeline.bench.analysis.front import front
from pipeline.bench.analysis.settings import marked
from pipeline.bench.published import NAME as PUBLISHED
from pipeline.bench.quality import told
from pipeline.search.catalogue import MIN_INDEXED_ROWS

_HELP = {
    "recall": "Share of the exact nearest neighbours that are found.",
    "QPS": "Queries per second that the server answered; the median if measured several times.",
    "clients": "Client processes that sent requests at the same time.",
    **builds.MEMORY,
    "recall@20": terms.TERMS["recall@20"] + " Through the index; in brackets what exact search gives.",
    "mrr@20": terms.TERMS["mrr@20"] + " Through the index; in brackets what exact search gives.",
}


def show(settings: pl.DataFrame) -> None:
    """Draw the front's settings, most recall first."""
    rows = list(front(settings, "qps", by=("scenario",)).reverse().iter_rows(named=True))
    st.markdown("**What is worth choosing**: no other measured setting has both higher recall and higher QPS.")
    table.show([_line(row) for row in rows], _HELP)
    runs = settings["run"].unique().to_list()
    if not any(told(row) for row in rows) and len(runs) == 1 and runs[0] != PUBLISHED:
        _offer(str(runs[0]))


def _line(row: dict[str, Any]) -> dict[str, str]:
    line = {
        "setting": marked(row),
        "recall": f"{row['recall']:.4f}",
        "QPS": f"{row['qps']:,.0f}",
        "clients": f"{row['concurrency']:,}",
    }
    line |= builds.memory(row, "memory, estimated", "server grew by")
    if told(row):
        line["recall@20"] = f"{row['next_recall']:.3f} ({row['exact_recall']:.3f})"
        line["mrr@20"] = f"{row['next_mrr']:.3f} ({row['exact_mrr']:.3f})"
    return line


def _offer(run: str) -> None:
    """Offer to measure what recommendations lose, where the model has items enough for an index to lose any."""
    model = state.model()
    manifest = state.workspace().manifest(f"vectors/{model}")
    if manifest is None:
        return
    items = int(manifest["metrics"]["items"])
    if items < MIN_INDEXED_ROWS:
        st.caption(f"Nothing is lost here: {model} has {items:,} items, so every search is exact.")
        return
    with refused.below("quality"):
        if st.button("Measure what recommendations lose at these settings", icon=":material/recommend:"):
            tray.launch(["bench", "quality", "--run", run, "--model", model], f"quality of {run}")
