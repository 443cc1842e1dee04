"""Many sessions at once: a log is sent, recommendations for each of its sessions come back as a file."""

from pathlib import Path

import streamlit as st

from app import making, refused, state, tray, url
from app.data import uploads
from app.parts import files, table
from pipeline.core.text import size
from pipeline.serving.stages.served import ServedModel

FOLDER = "recommendations"  # in the workspace
_SHOWN = 5


def show(served: ServedModel) -> None:
    """Draw what sends a log, and the files that came of earlier ones."""
    with (
        st.expander("Recommend to every session of a log", icon=":material/groups:"),
        refused.below("many sessions"),
    ):
        sent = uploads.upload("A log of clicks", "As on the Data page: session, time and item, in CSV, TSV or Parquet.")
        if served.ranker is not None:
            rank = st.toggle("In four stages, with the ranker", **url.bound("ranked", True, url.flag, url.write_flag))
        else:
            rank = False
        if st.button("Recommend", icon=":material/play_arrow:", disabled=not sent):
            tray.launch(_words(served, Path(sent), rank), "recommend")
        if not making.show("recommendations"):
            _files()


def _words(served: ServedModel, log: Path, rank: bool) -> list[str]:
    folder = state.workspace().root / FOLDER
    folder.mkdir(exist_ok=True)
    out = folder / f"{log.stem.split('.')[0]}{'-ranked' if rank else ''}.parquet"
    words = ["recommend", "--file", str(log), "--out", str(out), "--model", str(served.index["model"]), "--force"]
    return [*words, "--rank"] if rank else words


def _files() -> None:
    made = sorted(
        (state.workspace().root / FOLDER).glob("*.parquet"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    for path in made[:_SHOWN]:
        told, button = st.columns([3, 1], vertical_alignment="center")
        with told:
            table.show([{"file": path.name, "size": size(path.stat().st_size)}], {}, words=True)
        files.download(button, path)
