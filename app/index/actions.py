"""What can be done with one index: use, load, release, drop with undo, build again, and measure what it loses."""

from typing import Any

import streamlit as st

from app import freshness, refused, state, tray
from pipeline.evaluation.through_index import approximations
from pipeline.indexes import registry
from pipeline.models.registry import KINDS


def draw_actions(row: dict[str, Any], in_use: set[str]) -> None:
    """Draw the buttons of an index that is chosen; say why one cannot be pressed."""
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


def through(row: dict[str, Any]) -> None:
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


def dropped() -> None:
    """Draw what was dropped, until that is confirmed or undone."""
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
