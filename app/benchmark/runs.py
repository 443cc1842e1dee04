"""Runs in a table – hardware, versions, seed, a note to edit – and what is taken out of them as files."""

import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app import state
from app.parts import costs
from pipeline.bench import published, runs
from pipeline.bench.analysis.settings import gather
from pipeline.bench.runs import Run

_FILES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "html": "text/html"}


def table(known: Sequence[Run]) -> None:
    """Draw the runs when that is opened; a note that is written is kept."""
    if not known:
        return
    many = f"{len(known):,} run{'s' if len(known) > 1 else ''}"
    box = st.expander(f"{many}: hardware, versions, notes", icon=":material/table_rows:", on_change="rerun")
    if not box.open:
        return
    edited = box.data_editor(
        [_line(run) for run in known],
        hide_index=True,
        disabled=[name for name in _line(known[0]) if name != "note"],
        key="runs-table",
        column_config={
            "note": st.column_config.TextColumn("note", help="Yours to write.", max_chars=300, width="medium")
        },
    )
    for run, line in zip(known, edited, strict=True):
        if (line["note"] or "") != run.note:
            runs.set_note(state.workspace(), run.name, line["note"] or "")


def _line(run: Run) -> dict[str, Any]:
    hardware = run.hardware
    gpu = f", {hardware['gpu']}" if hardware.get("gpu") else ""
    return {
        "run": run.name,
        "state": f"{run.status}, out of date" if runs.is_run_stale(state.workspace(), run) else run.status,
        "points": f"{run.points:,} of {run.planned:,}",
        "note": run.note,
        "made": run.created.replace("T", " ")[:16],
        "hardware": f"{hardware.get('cores', '?')} cores, {hardware.get('cpu', 'unknown')}{gpu}",
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "seed": run.seed,
    }


def failures(failed: pl.DataFrame) -> None:
    """Say why points have no figures; `failed`: (error, points)."""
    if failed.is_empty():
        return
    many = failed["points"].sum()
    with st.expander(f"{many:,} point{'s have' if many > 1 else ' has'} no figures", icon=":material/error:"):
        for error, points in failed.iter_rows():
            st.markdown(f"{points:,} × {error}")


def export(names: Sequence[str], given: dict[str, Any]) -> None:
    """Offer one run as files; each is made when its button is pressed."""
    left, *buttons = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    name = str(left.selectbox("Export", names)) if len(names) > 1 else names[0]
    if len(names) == 1:
        left.markdown(f"Export **{name}** as")
    for column, (suffix, mime) in zip(buttons, _FILES.items(), strict=True):
        column.download_button(
            suffix.upper() if suffix != "parquet" else "Parquet",
            _maker(name, suffix, given),
            f"benchmark-{name}.{suffix}",
            mime,
            key=f"export-{suffix}",
            on_click="ignore",
            icon=":material/download:",
            width="stretch",
            help="One file with all figures, that opens without a network." if suffix == "html" else None,
        )


def _maker(name: str, suffix: str, given: dict[str, Any]) -> Callable[[], bytes]:
    opened, (price, _) = state.workspace(), costs.chosen()

    def make() -> bytes:
        from pipeline.figures.report import write_report

        if suffix == "html":
            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder) / "report.html"
                write_report(opened, name, target, given if name != published.NAME else {}, price)
                return target.read_bytes()
        points, file = gather(opened, [name]), io.BytesIO()
        points.write_csv(file) if suffix == "csv" else points.write_parquet(file)
        return file.getvalue()

    return make
