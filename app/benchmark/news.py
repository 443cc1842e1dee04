"""The newest benchmark run in short, for the Overview page: what it found, and the front's best settings."""

from typing import Any

import polars as pl
import streamlit as st

from app import making, routes, state
from app.benchmark import adviser, data
from app.parts import layout, table, terms
from pipeline.bench.analysis.advise import Wish
from pipeline.bench.analysis.cost import with_cost
from pipeline.bench.analysis.front import front
from pipeline.bench.analysis.prices import find_prices
from pipeline.bench.analysis.settings import marked, under
from pipeline.core.text import number, per_request

_MOST = 5  # settings


def show() -> None:
    """Draw it, or say that nothing was measured yet, with a link."""
    st.markdown("**Speed and recall**")
    known = [run for run in data.list_runs() if run.points]
    settings = under(data.read([known[0].name], known)[0], {}) if known else pl.DataFrame()
    if settings.is_empty():
        if not making.show("bench"):
            layout.empty(
                "No index is benchmarked yet: a first sweep takes a minute.", "benchmark", "Measure recall and QPS"
            )
        return
    found = adviser.advised(with_cost(settings, find_prices(state.workspace(), None)), Wish(recall=data.TARGET))
    best = shown(settings)
    st.markdown(adviser.dollars(found.why[0]))
    if best.is_empty():
        layout.empty(f"Run {known[0].name} is out of date.", "benchmark", "Measure recall and QPS again")
        return
    st.caption(terms.answers(max(best.iter_rows(named=True), key=lambda row: float(row["qps"]))))
    table.show([_line(row) for row in best.iter_rows(named=True)], terms.TERMS)
    one = settings.row(0, named=True)
    asked = f"{one['scenario']}, {per_request(one['nq'])}, top-k {one['top_k']:,}"
    st.caption(f"Measured here, run {known[0].name}: {asked}. No other setting has both higher recall and higher QPS.")
    st.page_link(routes.page("benchmark"), label="See all of it", icon=":material/speed:")


def shown(settings: pl.DataFrame) -> pl.DataFrame:
    """Give the fastest settings of the front that keep the recall spoken of, or of all where none does, by recall."""
    best = front(settings, "qps", by=("scenario",)).reverse()
    kept = best.filter(pl.col("recall") >= data.TARGET)
    return (best if kept.is_empty() else kept).tail(_MOST)


def _line(row: dict[str, Any]) -> dict[str, str]:
    return {
        "setting": marked(row),
        "recall": f"{row['recall']:.3f}",
        "QPS": number(row["qps"]),
        "clients": f"{row['concurrency']:,}",
    }
