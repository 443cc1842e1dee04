"""The form's values to try, its load and its goal: short fields that begin with what is usual."""

from typing import Any

import streamlit as st

from app import url
from app.benchmark.job import TUNE_LOAD
from pipeline.bench.run.grid import IndexGrid
from pipeline.bench.run.presets import PRESETS, Preset
from pipeline.bench.run.tune import Goal
from pipeline.core.text import number
from pipeline.search.catalogue import CATALOGUE

CLOSED, OPEN = "as fast as answered", "at given rates"
_LONGEST_MS = 1e9
_FIELDS = {
    "nq": ("Queries per request", "One as a visitor's page sends, or many, e.g. 1,1000."),
    "concurrency": (
        "Clients",
        "Processes that send requests at the same time, e.g. 1,4; each waits for its answer before the next.",
    ),
    "top-k": ("Top-k", "Neighbours asked for with each query, e.g. 10,100."),
    "seconds": ("Seconds", "How long each point is measured."),
    "repeats": ("Repeats", "Three repeats show how much a figure varies."),
}


def tried(index: str) -> str:
    """Give three values of the first search parameter, around its default; limits are kept when points are planned."""
    first = next((p for p in CATALOGUE[index].search if p.kind == "int" and not p.optional), None)
    if first is None:
        return ""
    low = int(first.default) if first.at_least else max(1, int(first.default) // 4)
    return f"{first.name}={low},{low * 2},{low * 4}" if first.at_least else f"{first.name}={low},{low * 4},{low * 16}"


def values(grid: IndexGrid, key: str, *, build: bool) -> IndexGrid:
    """Draw the values that are tried of an index type; those of its build only where it is built."""
    entry = CATALOGUE[grid.index]
    if not (entry.search or (build and entry.build)):
        return grid
    st.markdown(f"**{grid.index}**")
    left, right = st.columns(2)
    shown = {"Build": (left, grid.build, entry.build), "Search": (right, grid.search, entry.search)}
    found = {"Build": grid.build, "Search": grid.search}
    for title, (column, text, params) in shown.items():
        if params and (build or title == "Search"):
            about = f"{', '.join(p.name for p in params)}; e.g. {params[0].name}={params[0].default}."
            place = f"{title}-{grid.index}-{key}"
            found[title] = column.text_input(title, text, placeholder="defaults", help=about, key=place).strip()
    return IndexGrid(grid.index, found["Build"], found["Search"])


def goal() -> Goal:
    """Draw what a tuning has to keep, in the page's URL as well."""
    left, middle, right = st.columns(3)
    recall = left.number_input(
        "Minimum recall", 0.01, 1.0, step=0.01, format="%.3f",
        help="Share of the exact nearest neighbours that the answers must contain.",
        **url.bound("keep", 0.95, url.real(0.01, 1.0)),
    )  # fmt: skip
    p99 = middle.number_input(
        "Maximum p99 (ms)", 0.1, _LONGEST_MS, placeholder="any",
        help="99 of 100 requests must be answered within this time.",
        **url.bound("within", None, url.real(0.1, _LONGEST_MS)),
    )  # fmt: skip
    trials = right.number_input(
        "Trials", 1, 10_000, help="How many settings are measured.", **url.bound("trials", 20, url.whole(1, 10_000))
    )
    return Goal(float(recall or 0.95), p99, int(trials))


def load(preset: str, *, tuning: bool) -> tuple[dict[str, str], list[str]]:
    """Draw how it is asked; give what differs from the usual, and flags."""
    usual = TUNE_LOAD if tuning else _of(PRESETS[preset])
    given = {}
    st.markdown("**Load**")
    for column, (name, shown) in zip(st.columns(len(usual)), usual.items(), strict=True):
        title, about = _FIELDS[name]
        text = column.text_input(title, shown, help=about, key=f"load-{name}-{preset}-{tuning}").strip()
        if text and text != shown:
            given[name] = text
    if tuning:
        return given, []
    given |= _rates()
    through = st.toggle("Also through pymilvus", help="Shows what pymilvus users see, beside what the server can do.")
    skip = st.toggle("Skip settings that another one beats", help="Saves time; skipped points say why.")
    return given, (["--client", "pymilvus"] if through else []) + (["--skip-dominated"] if skip else [])


def _of(preset: Preset) -> dict[str, Any]:
    return {
        "nq": ",".join(map(str, preset.nq)),
        "concurrency": ",".join(map(str, preset.concurrency)),
        "top-k": "100",
        "seconds": number(preset.seconds),
        "repeats": str(preset.repeats),
    }


def _rates() -> dict[str, str]:
    about = (
        "As fast as answered: a client sends its next request when it has its answer, which shows how many queries the server "
        "can answer. At given rates: requests come by the clock, as visitors do, and time spent waiting counts."
    )
    usual = OPEN if url.value("rate", "", url.text) else CLOSED
    shown = url.segments(
        "requests", usual, {"rates": OPEN, "fast": CLOSED}.get, lambda w: "rates" if w == OPEN else "fast"
    )
    if st.segmented_control("Requests", [CLOSED, OPEN], required=True, help=about, **shown) != OPEN:
        return {}
    shown = url.bound("rate", "50,100,200", url.text)
    text = st.text_input("Requests a second", help="Of all clients together, e.g. 50,200.", **shown).strip()
    return {"rate": text} if text else {}
