"""The Train page's table of trainings: sort, compare curves, choose the one in use, delete with undo."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app import refused, state, tray
from app.parts import draw, terms
from pipeline.core.text import named, size
from pipeline.figures import models
from pipeline.models.registry import KINDS
from pipeline.store.stage import is_stale
from pipeline.training import archive, history
from pipeline.training.history import Training

_MOST_CURVES = 8  # colours that can be told apart
_HELP = {
    "state": "In use: every page uses this training of the model. Out of date: it is in use, but the sessions or the model it "
    "ranks for have changed. Other data: it learned from other sessions, so it cannot be used now.",
    "took": "Seconds.",
    "passes": "Passes over the training clicks; training stops early when it no longer improves.",
    "settings": "Those that differ from the defaults.",
    "validation": "Best recall@20 on the sessions held out of training. Each kind of model holds out different sessions: compare kinds by their test figures.",
    "test recall@20": terms.TERMS["recall@20"] + " On the test sessions; empty until it is evaluated while in use.",
    "test mrr@20": terms.TERMS["mrr@20"] + " On the test sessions; empty until it is evaluated while in use.",
    "MB": "On disk. The training in use shares its files with the model.",
}
_FORMATS = {"took": "%.1f s", "validation": "%.3f", "test recall@20": "%.3f", "test mrr@20": "%.3f", "MB": "%.1f"}


def show() -> None:
    """Draw the table, what can be done with the selected ones, and what was deleted."""
    known = history.list_trainings(state.workspace())
    if not known:
        st.caption("Finished trainings are kept here to compare, use again or delete.")
        _aside()
        return
    picked: Any = st.dataframe(
        [_line(training) for training in known],
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        key=f"trainings-{hash(tuple(t.name for t in known))}",  # a row that goes takes its selection with it
        column_config={
            name: st.column_config.NumberColumn(name, help=_HELP.get(name), format=form)
            for name, form in _FORMATS.items()
        }
        | {name: st.column_config.Column(name, help=_HELP[name]) for name in ("state", "passes", "settings")}
        | {"started": st.column_config.DatetimeColumn("started", format="YYYY-MM-DD HH:mm", timezone="UTC")},
    )
    chosen = [known[i] for i in picked.selection.rows]
    if chosen:
        with refused.below("trainings"):
            _actions(chosen)
        _curves(chosen)
    else:
        total = sum(t.bytes for t in known if not t.in_use)
        st.caption(
            "Select a row to use or delete that training; select several to compare their curves. "
            f"Trainings not in use take {size(total)}; the newest {archive.KEPT} of them are kept. "
            "As `python -m pipeline trainings list`, `use` and `delete`."
        )
    _aside()


def _line(training: Training) -> dict[str, Any]:
    return {
        "training": training.name,
        "state": _state(training),
        "model": KINDS[training.model].title if training.model in KINDS else training.model,
        "settings": named(training.options) or "defaults",
        "validation": training.validation.get("recall@20"),
        "test recall@20": training.tested.get("recall@20"),
        "test mrr@20": training.tested.get("mrr@20"),
        "passes": training.epochs,
        "took": training.seconds,
        "started": datetime.fromisoformat(training.started),
        "data": training.data or "unknown",
        "MB": training.bytes / 1e6,
        "note": training.note,
    }


def _state(training: Training) -> str:
    if training.in_use:
        return "out of date" if is_stale(state.workspace(), f"models/{training.model}") else "in use"
    return "" if training.current else "other data"


def _actions(chosen: Sequence[Training]) -> None:
    left, right = st.columns(2)
    one = chosen[0]
    why = _why_not(chosen)
    if left.button("Use this training", disabled=bool(why), width="stretch", icon=":material/play_circle:", help=why):
        tray.launch(["trainings", "use", one.name], f"use {one.name}")
    if why:
        st.caption(f":material/info: {why}")
    gone = [training.name for training in chosen if not training.in_use]
    why = None if gone else "The training in use cannot be deleted: use another one first."
    label = f"Delete {len(gone)}" if len(gone) > 1 else "Delete"
    if right.button(label, disabled=not gone, width="stretch", icon=":material/delete:", help=why):
        for name in gone:
            archive.set_training_aside(state.workspace(), name)
        st.rerun()


def _why_not(chosen: Sequence[Training]) -> str | None:
    """Say why what is selected cannot be chosen for use, None where it can."""
    if len(chosen) > 1:
        return "Select a single training."
    if chosen[0].in_use:
        return "It is already in use."
    return None if chosen[0].current else "It learned from sessions that have since been replaced: train it again."


def _curves(chosen: Sequence[Training]) -> None:
    """Draw the curves of the selected trainings, those that have one."""
    files = {t.name: file for t in chosen if (file := history.curve_file(state.workspace(), t.name))}
    if not files:
        st.caption("The selected models only count the clicks, so there is no training curve.")
        return
    shown = list(files)[:_MOST_CURVES]
    curves: dict[str, Sequence[dict[str, float]]] = {name: _points(files[name]) for name in shown}
    alike = len({(t.model, t.data) for t in chosen if t.name in shown}) == 1
    if len(shown) == 1:
        figure = models.training(curves[shown[0]], state.mode())
    else:
        figure = models.trainings(curves, state.mode(), alike=alike)
    draw.figure(figure, "curves")
    if not alike:
        st.caption(
            "These trainings use different models or data, so their curves are not comparable: "
            "compare their test figures."
        )
    if len(files) > len(shown):
        st.caption(f"The first {_MOST_CURVES} of {len(files)} are drawn.")


@st.cache_data(max_entries=64, show_spinner=False)
def _points(file: Path) -> list[dict[str, float]]:
    return pl.read_parquet(file).to_dicts()


def _aside() -> None:
    gone = history.deleted(state.workspace())
    if not gone:
        return
    names = [training.name for training in gone]
    with refused.below("delete"), st.container(border=True):
        told, undo, sure = st.columns([3, 1, 1], vertical_alignment="center")
        many = (
            f"{len(names)} trainings were deleted; they still take"
            if len(names) > 1
            else f"**{names[0]}** was deleted; it still takes"
        )
        told.markdown(f":material/delete: {many} {size(sum(t.bytes for t in gone))} on disk until you confirm.")
        if undo.button("Undo", key="undo-trainings", width="stretch"):
            for name in names:
                archive.restore_training(state.workspace(), name)
            st.rerun()
        if sure.button("Delete for good", key="delete-trainings", width="stretch"):
            tray.launch(
                ["trainings", "delete", *names],
                f"delete {len(names)} trainings" if len(names) > 1 else f"delete {names[0]}",
            )
