"""What is in the clicks that were read: their days, sessions, items and categories."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app import state
from app.parts import draw, terms
from pipeline.core.columns import CATEGORY, NO_CATEGORY, TIMESTAMP
from pipeline.core.text import number
from pipeline.figures import charts, data
from pipeline.figures.figure import Figure

_TOGETHER = 20  # clicks: longer sessions are one bar


def show(manifest: dict[str, Any]) -> None:
    """Draw it."""
    _facts(manifest)
    counted, items = state.table("clicks", "lengths.parquet"), state.table("clicks", "items.parquet")
    if counted is None or items is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        draw.figure(data.clicks_by_day(_days(str(state.workspace().stage("clicks")), manifest["key"]), state.mode()))
        draw.figure(data.popularity(items["clicks"], state.mode()))
    with right:
        draw.figure(lengths(counted, state.mode(), manifest["metrics"]["median_length"]))
        draw.figure(charts.long_tail(items["clicks"], state.mode()))
    by_category = named(items.group_by(pl.col(CATEGORY).cast(pl.String)).agg(pl.col("clicks").sum()))
    if by_category[CATEGORY].drop_nulls().len():
        draw.figure(data.categories(by_category, state.mode()))


def lengths(counted: pl.DataFrame, mode: str, median: float | None = None) -> Figure:
    """Draw how long sessions are (length, count)."""
    if median is None:
        ordered = counted.sort("length").with_columns(pl.col("count").cum_sum().alias("sum"))
        middle = ordered.filter(pl.col("sum") * 2 >= ordered["sum"].max())["length"]
        median = float(middle[0]) if len(middle) else 0.0
    together = pl.col("length").clip(upper_bound=_TOGETHER).alias("value")
    counts = counted.group_by(together).agg(pl.col("count").sum()).sort("value")
    title = f"Half of the sessions have at most {median:g} clicks"
    more = f" ({_TOGETHER} and more together)" if (counted["length"] > _TOGETHER).any() else ""
    return charts.histogram(counts, mode, title, f"clicks in the session{more}", "sessions")


def by_day(clicks: pl.LazyFrame) -> pl.DataFrame:
    """Count clicks by day, UTC."""
    day = pl.col(TIMESTAMP).dt.date().alias("day")
    return clicks.group_by(day).len("clicks").sort("day").collect(engine="streaming")


def named(counted: pl.DataFrame) -> pl.DataFrame:
    """Take what YOOCHOOSE writes for no category and for special offers as none."""
    nothing = pl.col(CATEGORY).is_in(NO_CATEGORY)
    return counted.with_columns(pl.when(~nothing).then(pl.col(CATEGORY)).alias(CATEGORY))


@st.cache_data(max_entries=8, show_spinner=False)
def _days(folder: str, key: str) -> pl.DataFrame:
    return by_day(pl.scan_parquet(Path(folder) / "clicks.parquet"))


def _facts(manifest: dict[str, Any]) -> None:
    found = manifest["metrics"]
    st.markdown(f"**Read last: {terms.escaped(Path(manifest['config']['clicks']).name)}**")
    for column, (label, value, term) in zip(
        st.columns(4),
        (
            ("Clicks", number(found["clicks"]), None),
            ("Sessions", number(found["sessions"]), terms.TERMS["session"]),
            ("Items", number(found["items"]), None),
            ("Days", number(_span(found)), f"From {found['first'][:10]} to {found['last'][:10]}, UTC."),
        ),
        strict=True,
    ):
        column.metric(label, value, help=term)
    for note in found["notes"]:
        st.caption(f":material/info: {note}")


def _span(found: dict[str, Any]) -> int:
    return (date.fromisoformat(found["last"][:10]) - date.fromisoformat(found["first"][:10])).days + 1
