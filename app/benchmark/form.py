"""The form that sets up a benchmark: what is asked, index types, and a sweep's preset or a tuning's goal."""

import shlex
from typing import Any

import streamlit as st

from app import refused, state, tray, url
from app.benchmark import load, vectors
from app.benchmark.job import Chosen
from app.errors import errors
from app.parts import layout, servers
from pipeline.bench.run.grid import IndexGrid
from pipeline.bench.run.presets import PRESETS
from pipeline.core.text import duration
from pipeline.jobs.past import Past
from pipeline.search.compatibility import ServerFacts, supported_names

SWEEP, TUNE = "Sweep", "Tune"


def form(*, expanded: bool) -> None:
    """Draw the form, which is made when it is opened; its button starts a job."""
    box = st.expander("Set up a run", expanded=expanded, icon=":material/tune:", on_change="rerun")
    if not box.open:
        return
    with box, errors():
        chosen = _chosen()
        if chosen is not None:
            with refused.below("bench"):
                _start(chosen)


def _chosen() -> Chosen | None:
    first, second = st.columns(2)
    tuning = _way(first) == TUNE
    server = _server(second)
    left, middle, right = st.columns([2, 3, 3])
    preset = next(iter(PRESETS)) if tuning else _preset(right)
    asked = vectors.choose(left, middle, server.name, collections=not tuning)
    if asked is None:
        return None
    grids = _types(preset, server, tuning=tuning) if asked.index is None else (_tried(asked.index),)
    chosen = Chosen(asked, preset, grids, server.name)
    if tuning:
        chosen.goal = load.goal()
    with st.popover("Values to try, and the load", icon=":material/tune:"):
        if tuning:
            st.caption("Without values, a tuning chooses from the whole range of each parameter.")
        key = f"{preset}-{tuning}"
        chosen.grids = tuple(load.values(grid, key, build=not asked.collection) for grid in grids)
        chosen.load, chosen.flags = load.load(preset, tuning=tuning)
    if not chosen.grids:
        layout.empty("No index type is chosen: choose one above.")
        return None
    return chosen


def _start(chosen: Chosen) -> None:
    found = chosen.planned(Past(state.workspace()))
    many = len(found.points)
    what = "settings tried" if chosen.goal else f"point{'s' if many > 1 else ''}"
    st.markdown(f"**{many:,} {what}, about {duration(found.seconds)}**")
    for note in found.notes:
        st.caption(note)
    st.code(shlex.join(["python", "-m", "pipeline", *chosen.command]), language="bash", wrap_lines=True)
    why = None if many else "There is no setting left to measure: choose more values."
    if st.button("Run", type="primary", icon=":material/play_arrow:", disabled=not many, help=why):
        tray.launch(chosen.command, chosen.title)


def _way(column: Any) -> str:
    about = (
        "A sweep measures every setting that you name. A tuning searches for the setting with the most queries per second at "
        "the recall that you ask for."
    )
    shown = url.segments("do", SWEEP, {"tune": TUNE}.get, lambda way: "tune" if way == TUNE else "")
    return str(column.segmented_control("What to do", [SWEEP, TUNE], required=True, help=about, **shown))


def _preset(column: Any) -> str:
    names = list(PRESETS)
    about = "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items())
    shown = url.segments("preset", names[0], url.one_of(names))
    return str(column.segmented_control("Preset", names, required=True, help=f"{about}.", **shown))


def _server(column: Any) -> ServerFacts:
    """Choose a server where there are several."""
    known = servers.known()
    names = list(known)
    if len(names) == 1:
        return known[names[0]]
    return known[str(column.selectbox("Server", names, **url.choice("on", names[0], names)))]


def _types(preset: str, server: ServerFacts, *, tuning: bool) -> tuple[IndexGrid, ...]:
    """Choose index types: a sweep has the preset's with its values, a tuning HNSW and all values."""
    usual = {"HNSW": IndexGrid("HNSW")} if tuning else {grid.index: grid for grid in PRESETS[preset].indexes}
    names = supported_names(server)
    shown = url.segments("types", [n for n in usual if n in names], url.some_of(names), url.joined)
    chosen = st.pills("Index types", names, selection_mode="multi", **shown)
    grids = {name: IndexGrid(name) if tuning else _tried(IndexGrid(name)) for name in names}
    return tuple((grids | usual)[name] for name in names if name in chosen)


def _tried(grid: IndexGrid) -> IndexGrid:
    return IndexGrid(grid.index, "", load.tried(grid.index))


def progress(points: int, planned: int) -> None:
    """Draw how many of a living run's points are there."""
    st.progress(min(points / max(planned, 1), 1.0), f"{points:,} of {planned:,} points measured so far.")
