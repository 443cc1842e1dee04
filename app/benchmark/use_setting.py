"""From a measured setting to an index in use with it: the one that is built, or a job that builds it."""

import json
from typing import Any

import streamlit as st

from app import refused, routes, state, tray
from pipeline.bench.analysis.settings import label
from pipeline.indexes import registry
from pipeline.search.params import format_params

_LABEL = "bench"


def offer(row: dict[str, Any], key: str) -> None:
    """Draw the button that uses an index of the items with this setting, and below it what was refused."""
    with refused.below(f"use-{key}"):
        _offer(row, key)


def _offer(row: dict[str, Any], key: str) -> None:
    search = format_params(json.loads(row["search"]))
    build = json.loads(row["build"])
    same = _same(row["index"], build)
    if same is not None and _serves(same, search):
        st.page_link(
            routes.page("recommend"), label=f"**{same['name']} uses this setting**", icon=":material/shopping_bag:"
        )
        return
    possible = state.workspace().manifest(f"vectors/{state.model()}") is not None and row["device"] == "cpu"
    text = "Use this setting" if same is not None else "Build this index and use it"
    help_ = (
        f"{label(row)}, over the items of {state.model()}." if possible else "Needs item vectors: see the Train page."
    )
    if not st.button(text, key=f"use-{key}", icon=":material/play_circle:", disabled=not possible, help=help_):
        return
    if same is not None:
        registry.use_index(state.workspace(), same["name"], search)
        st.rerun()
    command = [
        "index",
        "build",
        "--model",
        state.model(),
        "--index",
        row["index"],
        "--build",
        format_params(build),
        "--label",
        _LABEL,
    ]
    tray.launch([*command, "--use", "--search", search], f"build {row['index']} and use it")


def _same(index: str, build: dict[str, Any]) -> dict[str, Any] | None:
    """Find an index of the items that is built with these parameters."""
    built = [
        row
        for row in registry.list_indexes(state.workspace())
        if row["vectors"] == "items" and row["model"] == state.model()
    ]
    return next(
        (r for r in built if r["index"] == index and build.items() <= r["params"].items() and not r["stale"]), None
    )


def _serves(index: dict[str, Any], search: str) -> bool:
    now = registry.index_in_use(state.workspace(), state.model())["name"]
    return bool(now == index["name"] and registry.used_search(state.workspace(), now) == search)
