"""What an index costs as a database and as the library underneath, on the same vectors with the same parameters."""

from typing import Any

import streamlit as st

from app import refused, state, tray
from pipeline.core.text import duration
from pipeline.jobs.job import jobs
from pipeline.search.libraries.library import Library
from pipeline.search.libraries.registry import libraries_with
from pipeline.search.params import format_params


def show(row: dict[str, Any]) -> None:
    """Offer to measure each library that has a built index's type beside it, and show what was measured last."""
    title = f"library {row['name']}"
    ended = [job.end["result"] for job in jobs(state.workspace()) if job.title == title and job.state == "done"]
    for library in libraries_with(row["index"]):
        measured = next((result for result in ended if result["library"] == library.name), None)
        if measured is not None:
            _beside(row, library, measured)
            continue
        with refused.below(f"library {library.name}"):
            if st.button(f"Compare with {library.title}", icon=":material/compare_arrows:"):
                tray.launch(bench_command(row, library), title)


def _beside(row: dict[str, Any], library: Library, measured: dict[str, Any]) -> None:
    left, right = st.columns(2)
    left.metric(
        "In Milvus",
        f"p50 {row['p50_ms']:.2f} ms",
        f"recall@10 {row['recall@10']:.3f}",
        delta_color="off",
        delta_arrow="off",
    )
    right.metric(
        f"In {library.title} alone", f"p50 {measured['p50_ms']:.2f} ms", f"recall@10 {measured['recall']:.3f}", delta_color="off", delta_arrow="off",
        help="In one process on one thread: no network, no columns, no other users, nothing on disk.",
    )  # fmt: skip
    st.caption(
        f"The database adds {duration(max(row['p50_ms'] - measured['p50_ms'], 0) / 1000)} to a query; in return, it has "
        f"columns, updates, persistence and many users. {library.title} built in {duration(measured['build_s'])}, "
        f"Milvus in {duration(row['build_s'])}."
    )


def bench_command(row: dict[str, Any], library: Library) -> list[str]:
    """Give the command that measures a library on what an index holds, with its parameters."""
    command = ["library", "bench", "--library", library.name, "--index", row["index"], "--vectors", row["vectors"]]
    build = {name: value for name, value in row["params"].items() if name != "with_raw_data"}
    return [
        *command, "--model", row["model"], "--build", format_params(build), "--metric", row["metric"], "--threads", "1"
    ]  # fmt: skip
