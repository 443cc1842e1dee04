"""The form that sets up a sweep: what is asked of which vectors, index types with the values to try, and the load."""

import shlex
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app import parts, servers, state, tray
from pipeline.bench.options import sweep_config
from pipeline.bench.plan import IndexGrid, Plan, plan
from pipeline.bench.presets import PRESETS
from pipeline.bench.scenarios import QUERIES, SPLITS, ScenarioConfig
from pipeline.bench.sources import SYNTHETIC, source
from pipeline.errors import UserError
from pipeline.kinds import KINDS
from pipeline.text import duration, number
from pipeline.vectors.catalogue import CATALOGUE, MIN_INDEXED_ROWS
from pipeline.vectors.support import EMBEDDED, ServerFacts, supported_names

_MADE_UP = (f"{SYNTHETIC}:49008,100000,64", f"{SYNTHETIC}:10000,20000,64")
_QUERIES = 1000  # as many as the presets put into a request
_ABOUT = {
    "item-item": "Half of the items are indexed, the other half are the queries.",
    "user-user": "85 of 100 sessions are indexed, the others are the queries.",
    "user-item": "The items are indexed, the sessions are the queries.",
}
_LOAD = (
    ("nq", "nq", "Queries a request, e.g. 1,1000."),
    ("concurrency", "Clients", "Processes that ask at once, e.g. 1,4."),
    ("top-k", "Top-k", "Neighbours asked for, e.g. 10,100."),
    ("seconds", "Seconds", "Measured at each point."),
    ("repeats", "Repeats", "Three tell how far a figure varies."),
)


@dataclass
class Chosen:
    """What the form says: as options of the command, and as what `sweep_config` takes."""

    scenario: str
    model: str
    preset: str
    grids: tuple[IndexGrid, ...]
    server: str = EMBEDDED.name
    load: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)

    @property
    def command(self) -> list[str]:
        """Give the arguments that a person would type; what the preset says is left out."""
        words = ["bench", "--scenario", self.scenario, "--model", self.model, "--preset", self.preset]
        if set(self.grids) != set(PRESETS[self.preset].indexes):
            for grid in self.grids:
                words += ["--index", grid.index, "--build", grid.build, "--search", grid.search]
        for name, text in self.load.items():
            words += [f"--{name}", text]
        return words + self.flags + (["--server", self.server] if self.server != EMBEDDED.name else [])

    def planned(self) -> Plan:
        """List the points, as the command will; UserError where it would be refused."""
        rows, dim, queries = _sizes(self.scenario, self.model)
        if rows < MIN_INDEXED_ROWS:
            raise UserError(
                f"{rows:,} vectors would be indexed, and under about {MIN_INDEXED_ROWS:,} Milvus compares with all of them: "
                "every index would be the same. Choose sessions, or made-up vectors."
            )
        seconds, repeats = (_number(name, self.load.get(name)) for name in ("seconds", "repeats"))
        config = sweep_config(
            ScenarioConfig(self.scenario, self.model),
            preset=self.preset,
            indexes=[grid.index for grid in self.grids],
            builds=[grid.build for grid in self.grids],
            searches=[grid.search for grid in self.grids],
            nq=self.load.get("nq"),
            concurrency=self.load.get("concurrency"),
            top_k=self.load.get("top-k"),
            client="pymilvus" if "pymilvus" in self.flags else "raw",
            seconds=seconds,
            repeats=None if repeats is None else int(repeats),
            server=self.server,
            skip_dominated="--skip-dominated" in self.flags,
        )
        return plan(config, rows, dim, queries)


def _number(name: str, text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise UserError(f"{name} '{text}' is not a number: write one, such as 3.") from None


def form(*, expanded: bool) -> None:
    """Draw the form; its button starts a job."""
    with st.expander("Set up a run", expanded=expanded, icon=":material/tune:"), parts.errors():
        left, middle, right = st.columns([2, 3, 3])
        scenario, model = _vectors(left, middle)
        preset = _preset(right)
        server = _server()
        chosen = Chosen(scenario, model, preset, _types(preset, server), server.name)
        with st.popover("Values to try, and the load", icon=":material/tune:"):
            chosen.grids = tuple(_values(grid, preset) for grid in chosen.grids)
            chosen.load, chosen.flags = _load(preset)
        if not chosen.grids:
            parts.empty("No index type is chosen: choose one above.")
            return
        _start(chosen)


def _start(chosen: Chosen) -> None:
    found = chosen.planned()
    many = len(found.points)
    st.markdown(f"**{many:,} point{'s' if many > 1 else ''}, about {duration(found.seconds)}**")
    for note in found.notes:
        st.caption(note)
    st.code(shlex.join(["python", "-m", "pipeline", *chosen.command]), language="bash", wrap_lines=True)
    if st.button("Run", type="primary", icon=":material/play_arrow:", disabled=not many):
        tray.launch(chosen.command, f"bench {chosen.scenario}")


def _vectors(left: Any, right: Any) -> tuple[str, str]:
    """Choose scenario and vectors; the first of both that can tell indexes apart are the usual ones."""
    models = [name.split("/")[-1] for name in state.workspace().stages("vectors")]
    known = [model for model in (*models, *_MADE_UP)]
    usual = next(
        (pair for pair in ((s, m) for m in known for s in ("user-user", "item-item")) if _enough(*pair)),
        ("item-item", _MADE_UP[0]),
    )
    asked, names = state.url("of"), list(SPLITS)
    start = asked if asked in names else usual[0]
    scenario = str(left.selectbox("What is asked", names, names.index(start), help=" ".join(_ABOUT.values())))
    asked_model = state.url("vectors")
    first = asked_model if asked_model in known else usual[1]
    model = str(right.selectbox("Vectors", known, known.index(first), format_func=_named))
    state.remember(of=scenario if scenario != usual[0] else None, vectors=model if model != usual[1] else None)
    st.caption(_ABOUT[scenario])
    return scenario, model


def _named(model: str) -> str:
    if model.startswith(SYNTHETIC):
        items, sessions, dim = model.partition(":")[2].split(",")
        return f"made up: {int(items):,} items, {int(sessions):,} sessions, {dim} dimensions"
    return KINDS[model].title if model in KINDS else model


def _enough(scenario: str, model: str) -> bool:
    try:
        rows, _, queries = _sizes(scenario, model)
    except UserError:
        return False
    return rows >= MIN_INDEXED_ROWS and queries >= _QUERIES


def _sizes(scenario: str, model: str) -> tuple[int, int, int]:
    """Give how many vectors would be indexed, their dimensions, and how many queries asked."""
    split = SPLITS[scenario]
    indexed = source(state.workspace(), model, split.indexed)
    if split.asked:
        return indexed.rows, indexed.dim, min(source(state.workspace(), model, split.asked).rows, QUERIES)
    cut = round(indexed.rows * split.share)
    return cut, indexed.dim, min(indexed.rows - cut, QUERIES)


def _preset(column: Any) -> str:
    names = list(PRESETS)
    asked = state.url("preset", names[0])
    start = asked if asked in names else names[0]
    about = "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items())
    chosen = str(column.segmented_control("Preset", names, default=start, help=f"{about}.") or start)
    state.remember(preset=chosen if chosen != names[0] else None)
    return chosen


def _server() -> ServerFacts:
    """Choose a server where there are several."""
    known = servers.known()
    names = list(known)
    asked = state.url("on", names[0])
    if len(names) == 1:
        return known[names[0]]
    name = str(st.selectbox("Server", names, names.index(asked) if asked in names else 0))
    state.remember(on=name if name != names[0] else None)
    return known[name]


def _types(preset: str, server: ServerFacts) -> tuple[IndexGrid, ...]:
    usual = {grid.index: grid for grid in PRESETS[preset].indexes}
    names = supported_names(server)
    start = [n for n in state.url("types").split(",") if n in names] or [n for n in usual if n in names]
    chosen = st.pills("Index types", names, selection_mode="multi", default=start, key=f"types-{preset}-{server.name}")
    state.remember(types=",".join(chosen) if set(chosen) != set(usual) else None)
    return tuple(usual.get(name, IndexGrid(name, "", tried(name))) for name in names if name in chosen)


def tried(index: str) -> str:
    """Give three values of the first search parameter, around its default; limits are kept when points are planned."""
    first = next((p for p in CATALOGUE[index].search if p.kind == "int" and not p.optional), None)
    if first is None:
        return ""
    low = int(first.default) if first.at_least else max(1, int(first.default) // 4)
    return f"{first.name}={low},{low * 2},{low * 4}" if first.at_least else f"{first.name}={low},{low * 4},{low * 16}"


def _values(grid: IndexGrid, preset: str) -> IndexGrid:
    entry = CATALOGUE[grid.index]
    if not entry.build and not entry.search:
        return grid
    st.markdown(f"**{grid.index}**")
    left, right = st.columns(2)
    names = [", ".join(p.name for p in params) for params in (entry.build, entry.search)]
    key = f"{grid.index}-{preset}"
    build = left.text_input(
        "Build", grid.build, placeholder="defaults", help=f"{names[0]}; e.g. M=8,16.", key=f"b-{key}"
    )
    search = right.text_input("Search", grid.search, placeholder="defaults", help=f"{names[1]}.", key=f"s-{key}")
    return IndexGrid(grid.index, build.strip(), search.strip())


def _load(preset: str) -> tuple[dict[str, str], list[str]]:
    usual = PRESETS[preset]
    shown = {
        "nq": ",".join(map(str, usual.nq)),
        "concurrency": ",".join(map(str, usual.concurrency)),
        "top-k": "100",
        "seconds": number(usual.seconds),
        "repeats": str(usual.repeats),
    }
    given = {}
    st.markdown("**Load**")
    for column, (name, title, about) in zip(st.columns(len(_LOAD)), _LOAD, strict=True):
        text = column.text_input(title, shown[name], help=about, key=f"load-{name}-{preset}").strip()
        if text and text != shown[name]:
            given[name] = text
    through = st.toggle("Also through pymilvus", help="What its users see beside what the server can do.")
    skip = st.toggle("Skip what another setting has beaten", help="Saves time; those points say why they are missing.")
    return given, (["--client", "pymilvus"] if through else []) + (["--skip-dominated"] if skip else [])


def progress(points: int, planned: int) -> None:
    """Draw how many of a living run's points are there."""
    st.progress(min(points / max(planned, 1), 1.0), f"{points:,} of {planned:,} points are there; more arrive.")
