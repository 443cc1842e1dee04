"""The views of a benchmark's settings: one figure each; a click on a point offers to use its setting."""

import shlex
from collections.abc import Callable
from typing import Any

import polars as pl
import streamlit as st

from app import state, url
from app.benchmark import builds, front_table, use_setting
from app.parts import costs, draw, layout
from pipeline.bench.analysis.advise import UNPRICED, Wish
from pipeline.bench.analysis.equal_recall import at_equal_recall, comparison_sentence
from pipeline.bench.analysis.settings import BOTH, label, where
from pipeline.figures import benchmark, fairness
from pipeline.figures import rates as ratecharts
from pipeline.figures.figure import Figure
from pipeline.search.params import parse_params

RATES = "Rates"
_SAVED = "benchmark"  # the name of the picture that is saved


_FIGURES: dict[str, Callable[..., Figure]] = {
    "frontier": benchmark.frontier,
    "latencies": benchmark.latencies,
    "concurrency": benchmark.concurrency,
    "building": benchmark.building,
    "rates": ratecharts.rates,
}


@st.cache_resource(max_entries=60, show_spinner=False)
def _figure(name: str, settings: pl.DataFrame, mode: str, *more: Any) -> Figure:
    """Make a figure, once for the same settings."""
    return _FIGURES[name](settings, mode, *more)


def clickable(figure: Figure, settings: pl.DataFrame, key: str) -> None:
    """Draw a figure; the point that is clicked on is described, and its setting can be used."""
    picked: Any = draw.figure(figure, key, name=_SAVED, on_select="rerun", selection_mode="points")
    chosen = next((p["customdata"] for p in picked.selection.points if p.get("customdata")), None)
    row = _row(settings, chosen) if chosen else None
    if row is None:
        st.caption("Click a point to use its setting. The camera above the figure saves it as PNG.")
        return
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.markdown(f"**{label(row)}**: recall {row['recall']:.3f}, {row['qps']:,.0f} QPS")
    with right:
        use_setting.offer(row, key)


def _row(settings: pl.DataFrame, chosen: str) -> dict[str, Any] | None:
    same = settings.filter(pl.concat_str(benchmark.KEY, separator="|") == chosen)
    return same.row(0, named=True) if same.height else None


def recall_qps(settings: pl.DataFrame, wanted: Wish) -> None:
    """Draw recall against QPS."""
    clickable(_figure("frontier", settings, state.mode(), "qps", wanted.recall or 0), settings, "qps")
    if settings["client_bound"].any():
        st.caption(
            ":material/trip_origin: A ring marks where the client was the limit: its processes were busy, not the "
            "server's, so the server can do more than the figure says."
        )
    front_table.show(settings)


def latency(settings: pl.DataFrame, wanted: Wish) -> None:
    """Draw the time of a request."""
    clickable(_figure("latencies", settings, state.mode(), wanted.recall or 0), settings, "p99")
    st.caption("The marker is p99, the dash below it p95, and the foot of the bar p50.")


def clients(settings: pl.DataFrame, wanted: Wish) -> None:
    """Draw QPS by clients at once."""
    draw.figure(_figure("concurrency", settings, state.mode(), wanted.recall or 0), "clients", name=_SAVED)


def rates(settings: pl.DataFrame, wanted: Wish) -> None:
    """Draw the time of a request by the rate at which requests come; `settings` are those of open loops."""
    if settings.is_empty():
        layout.empty(
            "No point of these runs was measured at a given rate: set up a run above with requests “{OPEN}” in its "
            "load, or add `--rate 50,100,200` to its command."
        )
        return
    clickable(_figure("rates", settings, state.mode(), wanted.recall or 0), settings, "rates")
    st.caption(
        "Solid is p99, dashed p95, dotted p50, each counted from when the request was due, so that waiting for earlier requests "
        "counts. A client has one request under way at a time: if a rate is not kept although the server's CPUs are idle, "
        "use more clients."
    )


def building(settings: pl.DataFrame, wanted: Wish) -> None:
    """Draw what builds take."""
    draw.figure(_figure("building", settings, state.mode()), "builds", name=_SAVED)
    st.caption(
        "Memory is estimated from the index type's layout; the table also has what the server's processes use, where it "
        "runs on this machine."
    )
    builds.show(settings)
    if settings["memory_mb"].null_count() < settings.height:
        clickable(_figure("frontier", settings, state.mode(), "memory_mb", wanted.recall or 0), settings, "memory")


def cost(settings: pl.DataFrame, wanted: Wish) -> None:
    """Draw what recall costs."""
    objective = "usd_month" if wanted.qps else "usd_million"
    unknown = settings[objective].null_count()
    if unknown < settings.height:
        clickable(_figure("frontier", settings, state.mode(), objective, wanted.recall or 0), settings, "cost")
    if unknown:
        st.caption(f"No cost is known of {unknown:,} of {settings.height:,} settings, {UNPRICED}: they are left out.")
    costs.edit()


def versus(settings: pl.DataFrame, wanted: Wish) -> None:
    """Draw one side over another at equal recall."""
    sides = _sides(settings)
    if len(sides) < 2:
        layout.empty("There is nothing to compare with: measure another index type, or choose a second run above.")
        return
    left, right = st.columns(2)
    a = _side(left, "a", "Compare the QPS of", sides)
    b = _side(right, "b", "with those of", [side for side in sides if side != a])
    both = [where(settings, parse_params(side)) for side in (a, b)]
    found = at_equal_recall(*both)
    draw.figure(fairness.over(found, _said(a), _said(b), state.mode()), "versus", name=_SAVED)
    st.caption(comparison_sentence(found, _said(a), _said(b)))
    st.code(shlex.join(_command(settings, a, b)), language="bash", wrap_lines=True)


def _command(settings: pl.DataFrame, a: str, b: str) -> list[str]:
    """Give the command that compares the same."""
    words = ["python", "-m", "pipeline", "bench", "compare", "--a", a, "--b", b]
    words += [word for run in settings["run"].unique(maintain_order=True) for word in ("--run", run)]
    alike = [n for n in ("scenario", "nq", "top_k", "concurrency") if settings[n].n_unique() == 1]
    words += [word for n in alike for word in (f"--{n.replace('_', '-')}", str(settings[n][0]))]
    clients = settings["client"].unique().to_list()
    return [*words, "--client", clients[0] if len(clients) == 1 else BOTH]


def _sides(settings: pl.DataFrame) -> list[str]:
    """List what can be set against each other: devices, index types, runs, clients, where there are several."""
    several = [name for name in ("run", "device", "index", "client") if settings[name].n_unique() > 1]
    return [f"{name}={value}" for name in several for value in settings[name].unique(maintain_order=True)]


def _side(column: Any, name: str, title: str, sides: list[str]) -> str:
    shown = url.choice(name, sides[0], sides)
    return str(column.selectbox(title, sides, format_func=_said, **shown))


def _said(side: str) -> str:
    name, _, value = side.partition("=")
    return value.upper() if name == "device" else f"run {value}" if name == "run" else value


VIEWS: dict[str, Callable[[pl.DataFrame, Wish], None]] = {
    "Recall and QPS": recall_qps,
    "Latency": latency,
    "Clients": clients,
    RATES: rates,
    "Build and memory": building,
    "Cost": cost,
    "Compare": versus,
}
