"""What an index costs as a database and as the library underneath, on the same vectors with the same parameters."""

from typing import Any

import streamlit as st

from app import refused, state, tray
from pipeline.core.text import duration
from pipeline.jobs.job import jobs
from pipeline.search.params import format_params

FAISS = (
    "FLAT",
    "IVF_FLAT",
    "IVF_SQ8",
    "IVF_PQ",
    "HNSW",
    "SCANN",
    "HNSW_SQ",
)  # a test holds it against the library's own


def show(row: dict[str, Any]) -> None:
    """Offer to measure FAISS beside a built index, and show what was measured last."""
    if row["index"] not in FAISS:
        return
    title = f"library {row['name']}"
    measured = next((j.end["result"] for j in jobs(state.workspace()) if j.title == title and j.state == "done"), None)
    if measured is not None:
        left, right = st.columns(2)
        left.metric(
            "In Milvus",
            f"p50 {row['p50_ms']:.2f} ms",
            f"recall@10 {row['recall@10']:.3f}",
            delta_color="off",
            delta_arrow="off",
        )
        right.metric(
            "In FAISS alone", f"p50 {measured['p50_ms']:.2f} ms", f"recall@10 {measured['recall']:.3f}", delta_color="off", delta_arrow="off",
            help="In one process on one thread: no network, no columns, no other users, nothing on disk.",
        )  # fmt: skip
        st.caption(
            f"The database adds {duration(max(row['p50_ms'] - measured['p50_ms'], 0) / 1000)} to a query; in return, it has "
            f"columns, updates, persistence and many users. FAISS built in {duration(measured['build_s'])}, "
            f"Milvus in {duration(row['build_s'])}."
        )
        return
    with refused.below("library"):
        if st.button("Compare with FAISS", icon=":material/compare_arrows:"):
            command = ["library", "bench", "--index", row["index"], "--vectors", row["vectors"]]
            build = {k: v for k, v in row["params"].items() if k != "with_raw_data"}
            command += ["--model", row["model"], "--build", format_params(build), "--metric", row["metric"]]
            tray.launch([*command, "--threads", "1"], title)
