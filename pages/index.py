"""Index: choose server, vectors, type and parameters; build; see what each index costs and finds; compare two."""

from typing import Any

import streamlit as st

from app import costs, draw, freshness, layout, making, refused, servers, state, table, tray, url
from app.errors import errors
from app.index import build_form, foreign, library, side_by_side
from pipeline.core.text import duration, named, number, size
from pipeline.evaluation.through_index import approximations
from pipeline.figures import charts
from pipeline.indexes import registry
from pipeline.indexes.build import QUERIES
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.compatibility import EMBEDDED
from pipeline.search.embedded import server
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


def main() -> None:
    layout.heading(
        "Which index finds the nearest vectors fastest?",
        "Build several indexes over the same vectors and compare them; each is a collection in Milvus.",
    )
    if not state.workspace().stages("vectors"):
        if not making.show("vectors"):
            layout.empty("There are no vectors to index yet.", "train", "Train a model on the Train page")
        return
    freshness.notice(state.model())
    chosen = servers.choose()
    if chosen is not None:
        build_form.form(chosen)
    _built()
    _aside()
    if chosen is not None:
        foreign.show(chosen)
    _server()


def _built() -> None:
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
            _actions(chosen[0], in_use)
        _through(chosen[0])
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


def _actions(row: dict[str, Any], in_use: set[str]) -> None:
    name = row["name"]
    use, load, release, drop = st.columns(4)
    why = _why_not(row, in_use)
    if use.button("Use this index", disabled=bool(why), help=why, width="stretch", icon=":material/play_circle:"):
        registry.use_index(state.workspace(), name)
        st.rerun()
    if load.button("Load into memory", width="stretch"):
        tray.launch(["index", "load", name], f"load {name}")
    if release.button("Release from memory", width="stretch"):
        tray.launch(["index", "release", name], f"release {name}")
    if why:
        st.caption(f":material/info: {why}")
    if row["stale"] and st.button("Build it again", icon=":material/refresh:", help="With the same parameters."):
        tray.launch(freshness.build_again(row), f"build {name} again")
    if drop.button("Drop", width="stretch", icon=":material/delete:"):
        registry.set_index_aside(state.workspace(), name)
        st.rerun()


def _why_not(row: dict[str, Any], in_use: set[str]) -> str | None:
    """Say why an index cannot be chosen for use, None where it can."""
    if row["vectors"] != "items":
        return "This index holds sessions; only an index of items can make recommendations."
    return "It is already in use." if row["name"] in in_use else None


def _through(row: dict[str, Any]) -> None:
    """Say what the model's recommendations lose by this index, or offer to measure it."""
    if row["vectors"] != "items" or row["model"] not in KINDS:
        return
    found = approximations(state.workspace()).get(row["name"])
    if found is not None:
        lost = found["lost"]["recall@20"]
        st.markdown(
            f"Next clicks predicted with this index: recall@20 **{found['through']['recall@20']:.3f}**, exact "
            f"{found['exact']['recall@20']:.3f}, lost {lost['difference']:.3f} ({lost['low']:.3f} to {lost['high']:.3f}); "
            f"of the 20 nearest it finds {found['index_recall@20']:.3f}."
        )
        return
    with refused.below("through"):
        if st.button(
            "Measure recommendation quality with this index",
            help="Predicts the same next clicks as the Train page, through this index.",
        ):
            tray.launch(["evaluate", "--index", row["name"]], f"evaluate through {row['name']}")


def _aside() -> None:
    built = {row["name"] for row in registry.list_indexes(state.workspace())}
    for row in registry.dropped(state.workspace()):
        name, number = row["name"], row["aside"]
        with refused.below(f"drop-{number}-{name}"), st.container(border=True):
            left, undo, sure = st.columns([3, 1, 1], vertical_alignment="center")
            left.markdown(
                f":material/delete: **{name}**, {row['index']} of {row['created'][:16].replace('T', ' ')}, was dropped; it still "
                "takes space on the server until you confirm."
            )
            why = f"{name} was built again since: drop that one first." if name in built else None
            if undo.button("Undo", key=f"undo-{number}-{name}", disabled=bool(why), help=why, width="stretch"):
                registry.restore_index(state.workspace(), name, number)
                st.rerun()
            if sure.button("Drop for good", key=f"drop-{number}-{name}", width="stretch"):
                tray.launch(["index", "drop", name, "--aside", str(number)], f"drop {name} for good")


def _server() -> None:
    found = server.status(state.workspace())
    for build in found["abandoned"]:
        st.warning(f"Milvus {build['text']}.", icon=":material/hourglass_top:")
    with refused.below("server"), st.expander("The server", icon=":material/dns:"):
        facts = [f"Milvus {found.get('version') or ''} is {found['state']}"]
        facts += [f"{number(found['memory_mb'])} MB of memory"] if "memory_mb" in found else []
        st.markdown(", ".join(facts) + ".")
        if "warning" in found:
            st.warning(found["warning"], icon=":material/lock_open:")
        if found.get("last_restart"):
            st.caption(str(found["last_restart"]))
        if found["state"] == "ready" and st.button("Restart the server", help="This also ends cancelled builds."):
            tray.launch(["milvus", "restart"], "restart Milvus")


with errors():
    main()
