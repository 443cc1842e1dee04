"""Stage 'clicks': any source -> one canonical table of clicks and one of items."""

import re
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import clicks
from pipeline.core.columns import CATEGORY, ITEM_ID, MOST_TEXT_BYTES, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.store.stage import Done, Metrics, need, run_stage
from pipeline.store.workspace import Workspace

STAGE = "clicks"


def ingest(workspace: Workspace, source: clicks.ClickSource, progress: Progress = silent) -> Done:
    """Read `source` into clicks, items and lengths.parquet (length, count); raise UserError for what cannot be read.

    Rows that were left out are listed in bad_rows.csv (number, rows, why).
    """

    def body(folder: Path, report: Progress) -> Metrics:
        read = clicks.read_source(source, report)
        check_length("item", read.items[ITEM_ID])
        check_length("category", read.items[CATEGORY])
        check_length("session", read.clicks[SESSION_ID])
        read.clicks.write_parquet(folder / "clicks.parquet", row_group_size=100_000)
        read.items.write_parquet(folder / "items.parquet")
        if not read.left_out.is_empty():
            read.left_out.write_csv(folder / "bad_rows.csv")
        lengths = read.clicks.group_by(SESSION_ID).len("length")["length"]
        lengths.value_counts().sort("length").write_parquet(folder / "lengths.parquet")
        first, last = read.clicks.select(a=pl.col(TIMESTAMP).min(), b=pl.col(TIMESTAMP).max()).row(0)
        return {
            "clicks": read.clicks.height,
            "sessions": lengths.len(),
            "median_length": lengths.median(),
            "items": read.items.height,
            "first": first.isoformat(),
            "last": last.isoformat(),
            "bad_rows": int(read.left_out["rows"].sum()),
            "notes": read.notes,
        }

    return run_stage(workspace, STAGE, source, body, source=clicks.source_digest(source), revision=3, progress=progress)


def check_length(what: str, values: pl.Series) -> None:
    """Raise UserError for a text that no index could keep beside a vector; `what` names what it is."""
    if values.dtype != pl.String:
        return
    long = values.filter(values.str.len_bytes() > MOST_TEXT_BYTES)
    if len(long):
        raise UserError(
            f"The {what} '{long[0][:40]}…{long[0][-20:]}' has {len(long[0].encode()):,} bytes, and an index keeps at "
            f"most {MOST_TEXT_BYTES}: shorten it, or number them."
        )


def load_clicks(workspace: Workspace) -> pl.LazyFrame:
    """Scan the canonical clicks, sorted by session and time."""
    need(workspace, STAGE, "name your clicks with `run --clicks` or on the Data page.")
    return pl.scan_parquet(workspace.stage(STAGE) / "clicks.parquet")


def load_items(workspace: Workspace) -> pl.DataFrame:
    """Read every clicked item with its category, number of clicks and metadata."""
    need(workspace, STAGE, "name your clicks with `run --clicks` or on the Data page.")
    return pl.read_parquet(workspace.stage(STAGE) / "items.parquet")


def session_clicks(workspace: Workspace, session: Any) -> pl.DataFrame:
    """Read the clicks of one session, oldest first; empty where there is no such session."""
    table = load_clicks(workspace)
    column = table.collect_schema()[SESSION_ID]
    if column == pl.Int64:
        if not re.fullmatch("-?[0-9]{1,18}", str(session)):
            return table.head(0).collect()
        session = int(session)
    return table.filter(pl.col(SESSION_ID) == session).collect()
