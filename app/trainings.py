"""The Train page's table of trainings: sort, compare curves, choose the one that serves, delete with undo."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app import modelcharts, parts, state, tray
from pipeline import archive, trainings
from pipeline.kinds import KINDS
from pipeline.stage import is_stale
from pipeline.text import size
from pipeline.trainings import Training

_MOST_CURVES = 8  # colours that can be told apart
_HELP = {
    "state": "Serves: what the model's name stands for, on every page. Out of date: it does, and the sessions or the model that "
    "retrieves for it have changed since. Other data: it learned from other sessions, and cannot serve now.",
    "took": "Seconds.",
    "passes": "Over the training clicks; a training that no longer gains ends before the most that were asked for.",
    "settings": "Those that differ from the defaults.",
    "validation": "Best recall@20 on the sessions held out of training. Each kind of model holds out others: compare kinds by the test.",
    "test recall@20": parts.TERMS["recall@20"] + " On the test sessions; empty until it is evaluated while it serves.",
    "test mrr@20": parts.TERMS["mrr@20"] + " On the test sessions; empty until it is evaluated while it serves.",
    "MB": "On disk. A training that serves shares its files with the model.",
}
_FORMATS = {"took": "%.1f s", "validation": "%.3f", "test recall@20": "%.3f", "test mrr@20": "%.3f", "MB": "%.1f"}


def show() -> None:
    """Draw the table, what can be done with the selected ones, and what was deleted."""
    known = trainings.list_trainings(state.workspace())
    if not known:
        st.caption("Every training that ends is kept here, to compare, to serve again or to delete.")
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
        _actions(chosen)
        _curves(chosen)
    else:
        total = sum(t.bytes for t in known if not t.serves)
        st.caption(
            "Select a row to let it serve or to delete it; select several to compare their curves. "
            f"Those that do not serve take {size(total)}; the newest {archive.KEPT} of them are kept. "
            "As `python -m pipeline trainings list`, `serve` and `delete`."
        )
    _aside()


def _line(training: Training) -> dict[str, Any]:
    return {
        "training": training.name,
        "state": _state(training),
        "model": KINDS[training.model].title if training.model in KINDS else training.model,
        "settings": ", ".join(f"{name} {value}" for name, value in training.options.items()) or "defaults",
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
    if training.serves:
        return "out of date" if is_stale(state.workspace(), f"models/{training.model}") else "serves"
    return "" if training.current else "other data"


def _actions(chosen: Sequence[Training]) -> None:
    left, right = st.columns(2)
    one = chosen[0]
    why = _why_not(chosen)
    if left.button("Let it serve", disabled=bool(why), width="stretch", icon=":material/play_circle:", help=why):
        tray.launch(["trainings", "serve", one.name], f"serve {one.name}")
    if why:
        st.caption(f":material/info: {why}")
    gone = [training.name for training in chosen if not training.serves]
    why = None if gone else "The one that serves cannot be deleted: let another serve first."
    label = f"Delete {len(gone)}" if len(gone) > 1 else "Delete"
    if right.button(label, disabled=not gone, width="stretch", icon=":material/delete:", help=why):
        for name in gone:
            archive.set_aside(state.workspace(), name)
        st.rerun()


def _why_not(chosen: Sequence[Training]) -> str | None:
    """Say why what is selected cannot be chosen to serve, None where it can."""
    if len(chosen) > 1:
        return "Several are selected: select one alone."
    if chosen[0].serves:
        return "It serves already."
    return None if chosen[0].current else "It learned from sessions that have been replaced since: train it again."


def _curves(chosen: Sequence[Training]) -> None:
    """Draw the curves of the selected trainings, those that have one."""
    files = {t.name: file for t in chosen if (file := trainings.curve_file(state.workspace(), t.name))}
    if not files:
        st.caption("What is selected counts the clicks once: it has no curve.")
        return
    shown = list(files)[:_MOST_CURVES]
    curves: dict[str, Sequence[dict[str, float]]] = {name: _points(files[name]) for name in shown}
    alike = len({(t.model, t.data) for t in chosen if t.name in shown}) == 1
    if len(shown) == 1:
        figure = modelcharts.training(curves[shown[0]], state.mode())
    else:
        figure = modelcharts.trainings(curves, state.mode(), alike=alike)
    st.plotly_chart(figure, theme=None, key="curves")
    if not alike:
        st.caption(
            "Other models hold other sessions out and have another loss, and other data are easier or harder: "
            "compare those by the test."
        )
    if len(files) > len(shown):
        st.caption(f"The first {_MOST_CURVES} of {len(files)} are drawn.")


@st.cache_data(max_entries=64, show_spinner=False)
def _points(file: Path) -> list[dict[str, float]]:
    return pl.read_parquet(file).to_dicts()


def _aside() -> None:
    gone = trainings.deleted(state.workspace())
    if not gone:
        return
    names = [training.name for training in gone]
    with st.container(border=True):
        told, undo, sure = st.columns([3, 1, 1], vertical_alignment="center")
        many = (
            f"{len(names)} trainings are deleted; they keep"
            if len(names) > 1
            else f"**{names[0]}** is deleted; it keeps"
        )
        told.markdown(f":material/delete: {many} {size(sum(t.bytes for t in gone))} on disk until you confirm.")
        if undo.button("Undo", key="undo-trainings", width="stretch"):
            for name in names:
                archive.bring_back(state.workspace(), name)
            st.rerun()
        if sure.button("Delete for good", key="delete-trainings", width="stretch"):
            tray.launch(
                ["trainings", "delete", *names],
                f"delete {len(names)} trainings" if len(names) > 1 else f"delete {names[0]}",
            )
