"""Data: choose clicks, see what is in them, split them into sessions."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app import freshness, making, refused, state, tray, url
from app.data import uploads
from app.errors import errors
from app.parts import draw, layout, terms
from pipeline.clicks import datasets
from pipeline.core.text import number
from pipeline.figures import charts
from pipeline.store.stage import is_stale

CHOICES = {
    "Made-up shop": "shop",
    "E-shop (real)": "eshop",
    "YOOCHOOSE (real)": "yoochoose",
    "My own file": "file",
    "Made-up clicks of any size": "synthetic",
}


_TOGETHER = 20  # clicks: longer sessions are one bar


def main() -> None:
    layout.heading(
        "Which clicks do we learn from?", "Choose a data set or upload your own, then run the pipeline on it."
    )
    _choose()
    manifest = state.workspace().manifest("clicks")
    if manifest is None:
        if not making.show("clicks"):
            layout.empty(
                "There are no clicks yet: press “Run the whole pipeline” above, and this page shows what is in them."
            )
        return
    freshness.notice(state.model())
    _facts(manifest)
    _figures(manifest["metrics"])
    _split()


def _choose() -> None:
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
        why = None if ready else "Choose a file first."
        if left.button(first, type="primary", disabled=not ready, help=why, width="stretch"):
            tray.launch(["run", *(arguments or [])], f"run on {Path((arguments or ['', ''])[1]).name}")
        if right.button("Only read the clicks", disabled=not ready, help=why, width="stretch"):
            tray.launch(["ingest", *(arguments or [])], "read clicks")
        st.caption("The current models and indexes stay in use until the new ones are ready.")


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
            "The full data set takes hours and tens of gigabytes of memory; to use part of it, upload that part as your own file."
        )
    if data.state != "not fetched":
        return ["--clicks", data.name]
    st.caption(
        f":material/download: It is downloaded into {datasets.folder()}; a file that you put there yourself is used as it is."
    )
    return ["--clicks", data.name, "--fetch"]


def _file() -> list[str] | None:
    left, right = st.columns(2, gap="large")
    with left:
        sent = uploads.upload(
            "Upload a file of clicks", "CSV, TSV, Parquet or YOOCHOOSE's raw format, plain, .gz or .zip."
        )
    path = sent or right.text_input(
        "Or a path on this machine",
        placeholder="clicks.csv, .tsv, .parquet, .dat, .gz, .zip",
        help="YOOCHOOSE's raw format needs no columns.",
    )
    columns = st.text_input(
        "Columns, if their names are not recognised",
        placeholder="session=sid,time=ts,item=sku, or positions: session=1,time=2,item=3",
    )
    left, right = st.columns(2)
    form = left.text_input("Time format, if it is not recognised", placeholder="day-first, or %d.%m.%Y %H:%M")
    bad = right.number_input("Unreadable rows to skip at most", 0, 1_000_000, 0)
    items = st.text_input("File of item titles, prices, image URLs (optional)", placeholder="items.csv")
    if not path:
        return None
    given = {"--columns": columns, "--time-format": form, "--bad-rows": str(bad) if bad else "", "--items": items}
    return ["--clicks", path, *(part for name, value in given.items() if value for part in (name, value))]


def _facts(manifest: dict[str, Any]) -> None:
    found = manifest["metrics"]
    st.markdown(f"**Read last: {terms.escaped(Path(manifest['config']['clicks']).name)}**")
    for column, (label, value, term) in zip(
        st.columns(4),
        (
            ("Clicks", number(found["clicks"]), None),
            ("Sessions", number(found["sessions"]), terms.TERMS["session"]),
            ("Items", number(found["items"]), None),
            ("Days", number(_days(found)), f"From {found['first'][:10]} to {found['last'][:10]}, UTC."),
        ),
        strict=True,
    ):
        column.metric(label, value, help=term)
    for note in found["notes"]:
        st.caption(f":material/info: {note}")


def _days(found: dict[str, Any]) -> int:
    return (date.fromisoformat(found["last"][:10]) - date.fromisoformat(found["first"][:10])).days + 1


def _figures(found: dict[str, Any]) -> None:
    lengths, items = state.table("clicks", "lengths.parquet"), state.table("clicks", "items.parquet")
    if lengths is None or items is None:
        return
    together = pl.col("length").clip(upper_bound=_TOGETHER).alias("value")
    counts = lengths.group_by(together).agg(pl.col("count").sum()).sort("value")
    left, right = st.columns(2, gap="large")
    title = f"Half of the sessions have at most {found['median_length']:g} clicks"
    more = f" ({_TOGETHER} and more together)" if (lengths["length"] > _TOGETHER).any() else ""
    figure = charts.histogram(counts, state.mode(), title, f"clicks in the session{more}", "sessions")
    with left:
        draw.figure(figure)
    with right:
        draw.figure(charts.long_tail(items["clicks"], state.mode()))


def _split() -> None:
    manifest = state.workspace().manifest("data")
    st.header("Training and test sessions")
    if manifest is None:
        making.show("data")
    else:
        found = manifest["metrics"]
        st.write(
            f"{found['train_sessions']:,} sessions ended before {found['boundary'][:16].replace('T', ' ')} UTC and are used for training; "
            f"{found['test_sessions']:,} ended later and are used for testing. Sessions with a single click are left out."
        )
        if is_stale(state.workspace(), "data"):
            st.caption(
                ":material/update: These sessions come from clicks that were read earlier: press Preprocess, or run the whole pipeline."
            )
    left, right = st.columns(2)
    boundary = left.text_input("Test from (ISO time, UTC)", placeholder="empty: after 80 % of the sessions")
    fewest = right.number_input("Minimum clicks", 1, 1000, 1, help="Items with fewer clicks are left out.")
    with refused.below("preprocess"):
        if st.button("Preprocess"):
            extra = ["--test-from", boundary] if boundary else []
            tray.launch(["preprocess", "--min-item-count", str(fewest), *extra], "preprocess")


with errors():
    main()
