"""A benchmark page's data: runs read once while they do not grow, and the choice of what is shown of them, in the URL."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from app import state, url
from pipeline.bench import published, runs
from pipeline.bench.analysis.settings import BOTH, gather, summarise, under
from pipeline.bench.quality import QUALITY, with_quality
from pipeline.bench.runs import Run
from pipeline.store.workspace import Workspace

TARGET = 0.95
_CHOICES = (
    ("scenario", "Scenario", "What is indexed, and what is searched for: items or users."),
    ("nq", "Queries per request", "One, as a visitor's page sends; a thousand, as a nightly job does."),
    ("top_k", "Top-k", "Neighbours asked for with each query."),
    (
        "client",
        "Client",
        "raw does not parse the answers, so it measures the server; pymilvus shows what its users see.",
    ),
    (
        "loop",
        "Loop",
        "closed: the next request follows an answer. open: requests come at a given rate, as visitors do.",
    ),
    ("concurrency", "Clients", "Client processes that send requests at the same time."),
)


@st.cache_data(max_entries=12, show_spinner=False)
def _read(root: str, names: tuple[str, ...], state_of_runs: tuple[Any, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    opened = Workspace.open(root)
    points = gather(opened, names)
    failed = points.drop_nulls("error").group_by("error", maintain_order=True).len("points")
    return with_quality(opened, summarise(points)), failed


def read(names: Sequence[str], known: Sequence[Run]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read runs as settings, again only when one has grown; and why points have no figures: (error, points)."""
    grown = tuple(
        (run.name, runs.is_run_stale(state.workspace(), run), *_grown(run.name)) for run in known if run.name in names
    )
    return _read(str(state.workspace().root), tuple(names), grown)


def _grown(run: str) -> list[int]:
    """Give when a run's files were written last, in nanoseconds; 0 where there is none."""
    files = (state.workspace().root / runs.FOLDER / run / name for name in ("rows.jsonl", QUALITY))
    return [file.stat().st_mtime_ns if file.exists() else 0 for file in files]


def choose_runs(known: Sequence[Run]) -> list[str]:
    """Draw the choice of runs; the newest one that has points comes first, the published study where there is none."""
    names = [run.name for run in known if run.points or run.status == "running"] + [published.NAME]
    notes = {run.name: run.note for run in known}
    chosen = st.multiselect(
        "Runs",
        names,
        format_func=lambda name: f"{name} – {notes[name]}" if notes.get(name) else name,
        help="Several runs are drawn together; 'published' is a study from 2023.",
        **url.segments("runs", names[:1], url.some_of(names), url.joined),
    )
    return chosen


def choose_load(table: pl.DataFrame) -> dict[str, Any]:
    """Draw a choice for each part of the load that differs; give all parts, as `under` takes them."""
    usual = under(table, {})
    given: dict[str, Any] = {}
    varied = [(name, *words) for name, *words in _CHOICES if table[name].n_unique() > 1]
    columns = iter(st.columns(max(len(varied), 1)))
    for name, title, about in varied:
        there = _there(under(table, given) if name == "concurrency" else table, name)
        default = None if name == "concurrency" else usual[name][0]
        given[name] = _select(next(columns), name, title, there, default, about)
    return given


def _there(table: pl.DataFrame, name: str) -> list[Any]:
    values = sorted(table[name].drop_nulls().unique().to_list())
    return [*values, BOTH] if name == "client" else values


def _select(column: Any, name: str, title: str, there: list[Any], default: Any, about: str) -> Any:
    options = [None, *there] if default is None else there
    named = {str(value): value for value in there}
    return column.selectbox(
        title,
        options,
        format_func=lambda v: "all" if v is None else f"{v:,}" if isinstance(v, int) else str(v),
        help=about,
        **url.choice(name, default, options, read=named.get),
    )


def open_loops(table: pl.DataFrame, given: dict[str, Any]) -> pl.DataFrame:
    """Keep the settings of open loops, asked alike otherwise; none where there is none."""
    loops = table.filter(pl.col("loop") == "open")
    return under(loops, given | {"loop": "open"}) if loops.height else loops


def points_arriving(known: Sequence[Run]) -> bool:
    """Tell whether points still arrive."""
    return any(run.status == "running" for run in known)


def list_runs() -> list[Run]:
    """List the workspace's runs, newest first."""
    return runs.list_runs(state.workspace())
