"""The published study on the Benchmark page: its figures, the fair comparison beside them, and what else they show."""

import streamlit as st

from app import state, url
from app.benchmark.data import TARGET
from app.parts import draw
from pipeline.bench import published
from pipeline.bench.analysis import reread
from pipeline.bench.analysis.equal_recall import comparison_sentence
from pipeline.bench.analysis.settings import summarise, where
from pipeline.core.text import per_request
from pipeline.figures import benchmark, fairness


@st.cache_data(show_spinner=False)
def _fair() -> list[reread.Fair]:
    return reread.fair()


def show() -> None:
    """Draw it; everything on it is marked as published."""
    mode = state.mode()
    st.header("A published study, read like for like")
    st.caption(f"Not measured here: {published.SOURCE}. {per_request(1000)}, top-k 100, ten client processes for 60 s.")
    found = _fair()
    draw.figure(fairness.speed_ups(found, mode), "speed-ups")
    scenario = _scenario()
    one = next(fair for fair in found if fair.scenario == scenario)
    left, right = st.columns(2, gap="large")
    with left:
        draw.figure(fairness.as_published(reread.cpu_gpu_pairs(), scenario, mode), "as-published")
    with right:
        draw.figure(fairness.over(one.best, "The GPU", "the CPU's best", mode), "fair")
    st.caption(comparison_sentence(one.best, "The GPU", "the CPU's best"))
    st.caption(comparison_sentence(one.same_type, "GPU_IVF_PQ", "IVF_PQ"))
    _curves(scenario, mode)
    _lessons(scenario, mode)
    st.code("python -m pipeline bench published", language="bash")


def _scenario() -> str:
    shown = url.segments("study", reread.SCENARIOS[0], url.one_of(reread.SCENARIOS))
    return str(st.segmented_control("Scenario", reread.SCENARIOS, required=True, **shown))


def _curves(scenario: str, mode: str) -> None:
    merged = st.toggle(
        "Merge settings whose ef is below top-k",
        help="HNSW searches with an ef of at least top-k, so the study's ef 10, 20, 40 and 80 are the same setting.",
        **url.bound("merged", True, url.flag, url.write_flag),
    )
    settings = reread.settings() if merged else summarise(published.points())
    draw.figure(benchmark.frontier(where(settings, {"scenario": scenario}), mode, "qps", TARGET), "study-curves")


def _lessons(scenario: str, mode: str) -> None:
    flat, ceiling, bits = reread.lessons()
    st.caption(flat)
    left, right = st.columns(2, gap="large")
    with left:
        draw.figure(fairness.ceiling(reread.cpu_gpu_pairs(), mode), "ceiling")
        st.caption(ceiling)
    with right:
        draw.figure(fairness.bits(reread.cpu_gpu_pairs(), scenario, mode), "bits")
        st.caption(bits)
