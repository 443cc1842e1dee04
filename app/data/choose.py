"""Which clicks to read: a data set that has a name, made-up ones, or a file whose columns are confirmed."""

from pathlib import Path

import streamlit as st

from app import refused, tray, url
from app.data import looked_into, uploads
from app.own import is_own
from pipeline.clicks import datasets
from pipeline.core.text import number

CHOICES = {
    "Made-up shop": "shop",
    "E-shop (real)": "eshop",
    "YOOCHOOSE (real)": "yoochoose",
    "My own file": "file",
    "Made-up clicks of any size": "synthetic",
}


def show(kept: list[str]) -> None:
    """Draw the choice, what is in a file, and what starts reading it; `kept` are arguments of the whole pipeline."""
    with st.container(border=True), refused.below("run"):
        keys = list(CHOICES)
        read = {kind: title for title, kind in CHOICES.items()}.get
        chosen = str(
            st.segmented_control(
                "Data set", keys, required=True, **url.segments("data", keys[0], read, CHOICES.__getitem__)
            )
        )
        arguments = _arguments(CHOICES[chosen])
        left, right = st.columns([1, 1])
        ready = arguments is not None
        first = "Download and run the whole pipeline" if "--fetch" in (arguments or []) else "Run the whole pipeline"
        why = None if ready else "Choose a file, and which of its columns is what, first."
        if left.button(first, type="primary", disabled=not ready, help=why, width="stretch"):
            tray.launch(["run", *(arguments or []), *kept], f"run on {Path((arguments or ['', ''])[1]).name}")
        if right.button("Only read the clicks", disabled=not ready, help=why, width="stretch"):
            tray.launch(["ingest", *(arguments or [])], "read clicks")
        with_options = "The whole pipeline takes the options of “What is kept” below. " if kept else ""
        st.caption(f"{with_options}The current models and indexes stay in use until the new ones are ready.")


def _arguments(kind: str) -> list[str] | None:
    if kind == "synthetic":
        sessions = st.select_slider("Sessions", [2_000, 5_000, 20_000, 50_000, 100_000], 20_000, format_func=number)
        return ["--clicks", f"synthetic:{sessions}"]
    if kind != "file":
        return _known(next(d for d in datasets.KNOWN if d.name == kind))
    return _file()


def _known(data: datasets.DataSet) -> list[str]:
    st.caption(data.about)
    if data.source:
        st.caption(f"{data.source}. Licence: {data.licence}.")
    if data.name == datasets.YOOCHOOSE.name:
        st.caption(
            "All 33 million clicks take two cores some 40 minutes and 8 GB of memory; to use part of them, keep the last days or train on 1/64 below, or upload a part as your own file."
        )
    if data.state != "not fetched":
        return ["--clicks", data.name]
    st.caption(
        f":material/download: It is downloaded into {datasets.folder()}; a file that you put there yourself is used as it is."
    )
    return ["--clicks", data.name, "--fetch"]


def _file() -> list[str] | None:
    path = _sent()
    if not path:
        return None
    with st.expander("How it is written, and what is known of its items"):
        left, right = st.columns(2)
        form = left.text_input("Time format, if it is not recognised", placeholder="day-first, or %d.%m.%Y %H:%M")
        bad = right.number_input("Unreadable rows to skip at most", 0, 1_000_000, 0)
        sent = uploads.upload("A file of item titles, prices, image URLs (optional)")
        named = st.text_input("Or its path", placeholder="items.csv") if is_own() else ""
    confirmed = looked_into.show(Path(path).expanduser(), form)
    if confirmed is None:
        return None
    columns, gap = confirmed
    given = {
        "--columns": columns,
        "--time-format": form,
        "--bad-rows": str(bad) if bad else "",
        "--items": sent or named,
        "--session-gap": gap,
    }
    return ["--clicks", path, *(part for name, value in given.items() if value for part in (name, value))]


def _sent() -> str:
    """Take a file from the browser; a path only where the app is its visitor's own."""
    about = "CSV, TSV, Parquet or YOOCHOOSE's raw format, plain, .gz, .bz2, .xz or .zip."
    if not is_own():
        return uploads.upload("Upload a file of clicks", about)
    left, right = st.columns(2, gap="large")
    with left:
        sent = uploads.upload("Upload a file of clicks", about)
    return sent or right.text_input(
        "Or a path on this machine",
        placeholder="clicks.csv, .tsv, .parquet, .dat, .gz, .zip",
        help="YOOCHOOSE's raw format needs no columns.",
    )
