"""The indexes that are built: what each finds, costs and takes, and which are chosen to be used or compared."""

from typing import Any

import streamlit as st

from app import making, refused, state, url
from app.index import library, side_by_side
from app.index.actions import draw_actions, through
from app.parts import costs, draw, layout, table
from pipeline.core.text import duration, named, number, size
from pipeline.figures import charts
from pipeline.indexes import registry
from pipeline.indexes.build import QUERIES
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.compatibility import EMBEDDED
from pipeline.search.measure import TIMED

HELP = {
    "recall@10": "Share of the 10 exact nearest vectors that the index finds with its default search.",
    "recall@100": "Share of the 100 exact nearest vectors that the index finds with its default search.",
    "p50": "Half of the queries, one at a time, were answered within this time.",
    "memory": "Estimated from the index type's layout; the server does not report it.",
    "disk": "Estimated: the vectors as they were inserted, and the index.",
    "rows": "As the server counts them; + added and − deleted since the index was built.",
    "a month": "Memory of the index and the cores of its server, by the prices below.",
}

MAIN = ("index", "state", "recall@10", "p50", "memory", "a month")  # what fits beside the sidebar at 150 %


def show() -> None:
    """Draw the table of indexes, and what can be done with those that are chosen in it."""
    st.header("Built")
    rows = registry.list_indexes(state.workspace())
    if not rows:
        if not making.show("indexes"):
            layout.empty("No index is built yet: choose a type above and press Build.")
        return
    in_use = _in_use(rows)
    _newer(rows, in_use)
    elsewhere = any(row["server"] != EMBEDDED.name for row in rows)
    lines = [_line(row, in_use, elsewhere) for row in rows]
    table.show([{name: line[name] for name in MAIN} for line in lines], HELP)
    st.caption(
        f"Recall and p50 were measured when each index was built ({_days(rows)}): recall on {QUERIES} queries, which are sessions "
        f"for an index of a model's items, p50 on {TIMED} of them, one at a time."
    )
    with st.expander("All of each index: parameters, rows, times, disk", icon=":material/table:"):
        table.show(lines, HELP)
    costs.edit()
    chosen = _chosen(rows)
    if len(chosen) == 1:
        with refused.below("actions"):
            draw_actions(chosen[0], in_use)
        through(chosen[0])
        library.show(chosen[0])
    elif len(chosen) == 2:
        side_by_side.show(*chosen)
    else:
        if chosen:
            st.caption(":material/info: Two indexes are compared at a time: choose one or two.")
        for vectors in dict.fromkeys((row["model"], row["vectors"]) for row in rows):
            same = [row for row in rows if (row["model"], row["vectors"]) == vectors and not row["note"]]
            if len(same) > 1:
                shown = [row | {"device": CATALOGUE[row["index"]].device} for row in same]
                draw.figure(charts.index_quality(shown, state.mode()), f"quality-{vectors}")


def _chosen(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let indexes be chosen: one to do something with, two to compare."""
    names = [row["name"] for row in rows]
    none: list[str] = []
    shown = url.segments("indexes", none, url.some_of(names), url.joined)
    label = "Choose an index to use, release or drop it, or two to compare them on the same queries"
    picked = st.pills(label, names, selection_mode="multi", **shown)
    return [row for row in rows if row["name"] in picked]


def _days(rows: list[dict[str, Any]]) -> str:
    days = sorted({row["created"][:10] for row in rows})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _in_use(rows: list[dict[str, Any]]) -> set[str]:
    """Name the index that answers for each model."""
    models = {row["model"] for row in rows if row["vectors"] == "items"}
    return {registry.index_in_use(state.workspace(), model)["name"] for model in models}


def _newer(rows: list[dict[str, Any]], in_use: set[str]) -> None:
    """Say which index answers where a newer one is built, and let that one be chosen."""
    for model in dict.fromkeys(row["model"] for row in rows if row["vectors"] == "items"):
        newest = next(row["name"] for row in rows if row["vectors"] == "items" and row["model"] == model)
        now = registry.index_in_use(state.workspace(), model)["name"]
        if newest != now:
            said, button = st.columns([3, 1], vertical_alignment="center")
            said.markdown(f"Recommendations come from **{now}**; **{newest}** was built later.")
            if button.button(f"Use {newest}", key=f"use-{newest}", width="stretch", icon=":material/play_circle:"):
                registry.use_index(state.workspace(), newest)
                st.rerun()


def _line(row: dict[str, Any], in_use: set[str], elsewhere: bool) -> dict[str, str]:
    line = {
        "index": row["name"],
        "state": _state(row, in_use),
        "parameters": named(row["params"]) or "none",
        "rows": _rows(row),
        "recall@10": f"{row['recall@10']:.3f}",
        "recall@100": f"{row['recall@100']:.3f}",
        "p50": duration(row["p50_ms"] / 1000),
        "build": duration(row["build_s"]),
        "load": duration(row["load_s"]),
        "memory": f"≈ {size(row['memory_bytes'])}",
        "disk": f"≈ {size(row['disk_bytes'])}",
        "a month": costs.monthly(row["memory_bytes"]),
    }
    return line | ({"server": row["server"]} if elsewhere else {})


def _rows(row: dict[str, Any]) -> str:
    if row["count"] is None:
        return "unknown: a change was interrupted"
    changed = [f"{sign}{number(row[name])}" for name, sign in (("added", "+"), ("deleted", "−")) if row[name]]
    return " ".join([number(row["count"]), *changed])


def _state(row: dict[str, Any], in_use: set[str]) -> str:
    if row["name"] in in_use:
        return "in use, out of date" if row["stale"] else "in use"
    if row["stale"]:
        return "out of date"
    return "brute force" if row["note"] else "ready"
