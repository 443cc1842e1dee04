"""Raw columns -> canonical types; every rule about what a click needs and about categories is here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.clicks.bad_rows import BadRow, leave_out, shown
from pipeline.clicks.columns import DATE
from pipeline.clicks.values.ids import Ids, read_ids, without_nulls
from pipeline.clicks.values.times import EARLIEST, LATEST, Times, read_times
from pipeline.clicks.values.two_columns import read_date_and_time
from pipeline.core.columns import (
    CATEGORY,
    CLICK_COLUMNS,
    ITEM_ID,
    NO_CATEGORY,
    SESSION_ID,
    TIMESTAMP,
    UNKNOWN_CATEGORY,
)

ROW = "row"  # a raw table's row in its file, from 1
_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799  # their first and last second
_CALLED = {SESSION_ID: "session", ITEM_ID: "item"}


@dataclass(frozen=True)
class RawClicks:
    """Clicks as a source has them: columns session_id, timestamp, item_id, and, if any, category and date."""

    name: str
    frame: pl.DataFrame
    columns: dict[str, str]
    """What the source calls each column."""
    place: str
    numbers: Callable[[Sequence[int]], list[int]]
    """Turn positions in `frame` into the numbers that `place` ('line', 'row') counts."""
    blank: Callable[[pl.Series], pl.Series] | None = None
    """Mark which of some rows hold nothing at all, and are passed over."""
    broken: list[BadRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    time_format: str | None = None
    users: bool = False
    """Whether session_id names whoever clicked."""


def from_rows(name: str, frame: pl.DataFrame, notes: list[str]) -> RawClicks:
    """Take a table with its rows' numbers in a column of its own (`ROW`)."""
    rows, columns = frame[ROW], {column: column for column in frame.columns}
    return RawClicks(name, frame.drop(ROW), columns, "row", lambda at: rows[list(at)].to_list(), notes=notes)


@dataclass(frozen=True)
class Canonical:
    """Clicks (session_id, timestamp, item_id, category) as the file has them; the rows left out (number, rows, why)."""

    clicks: pl.DataFrame
    left_out: pl.DataFrame
    notes: list[str]


def canonical(raw: RawClicks, bad_rows: int = 0) -> Canonical:
    """Type raw clicks; raise UserError where more than `bad_rows` rows cannot be read."""
    ids = {column: read_ids(raw.frame[column], raw.name, raw.columns[column]) for column in (SESSION_ID, ITEM_ID)}
    times = _times(raw)
    typed = pl.DataFrame(
        {
            SESSION_ID: ids[SESSION_ID].values,
            TIMESTAMP: times.values,
            ITEM_ID: ids[ITEM_ID].values,
            CATEGORY: _categories(raw),
        }
    )
    notes = [*raw.notes, *ids[SESSION_ID].notes, *ids[ITEM_ID].notes, *times.notes]
    blank = _blank(raw, [ids[SESSION_ID].values, times.values, ids[ITEM_ID].values])
    bad, keep = _bad(raw, ids, times, blank)
    total = typed.height - int(blank.sum()) + sum(row.rows for row in raw.broken)
    left_out, said = leave_out(raw.name, raw.place, [*raw.broken, *bad], total, bad_rows)
    if keep is not None:
        typed = typed.filter(keep)
    return Canonical(typed.select(CLICK_COLUMNS), left_out, notes + said)


def in_order(clicks: pl.DataFrame) -> pl.DataFrame:
    """Sort clicks by session and time; what is equal in both stays in the order of the file."""
    return clicks.sort(SESSION_ID, TIMESTAMP, maintain_order=True)


def _times(raw: RawClicks) -> Times:
    values, column = raw.frame[TIMESTAMP], raw.columns[TIMESTAMP]
    if DATE not in raw.frame.columns:
        return read_times(values, raw.name, column, raw.time_format)
    return read_date_and_time(raw.frame[DATE], values, raw.name, (raw.columns[DATE], column), raw.time_format)


def _categories(raw: RawClicks) -> pl.Series:
    if CATEGORY not in raw.frame.columns:
        return pl.repeat(UNKNOWN_CATEGORY, raw.frame.height, eager=True)
    values = raw.frame[CATEGORY]
    if values.dtype != pl.String or values.str.ends_with(".0").any():
        values = read_ids(values, raw.name, raw.columns[CATEGORY]).values.cast(pl.String)
    return without_nulls(values.str.strip_chars()).fill_null(UNKNOWN_CATEGORY)


def _blank(raw: RawClicks, values: list[pl.Series]) -> pl.Series:
    if raw.blank is None or not all(value.null_count() for value in values):
        return pl.repeat(False, raw.frame.height, eager=True)
    return raw.blank(values[0].is_null() & values[1].is_null() & values[2].is_null())


def _bad(raw: RawClicks, ids: dict[str, Ids], times: Times, blank: pl.Series) -> tuple[list[BadRow], pl.Series | None]:
    """List the rows that cannot be read, each once, and mark those to keep; None where that is all of them."""
    bad: list[BadRow] = []
    out = blank
    for column, found in ids.items():
        for fault, why in found.faults:
            told = _told(raw, column, f"column '{raw.columns[column]}'", fault & ~out, why)
            bad, out = [*bad, *told], out | fault
        missing = found.values.is_null() & ~out if found.values.null_count() else None
        if missing is not None and missing.any():
            name = f"no {_CALLED[column]} in column '{raw.columns[column]}'"
            bad, out = [*bad, *_told(raw, column, name, missing, "")], out | missing
    if times.values.null_count():
        bad, out = [*bad, *_told_times(raw, times.values.is_null() & ~out)], out | times.values.is_null()
    return bad, ~out if out.any() else None


def _told(raw: RawClicks, column: str, name: str, rows: pl.Series, why: str) -> list[BadRow]:
    at = rows.arg_true().to_list()
    values = raw.frame[column][at].to_list()
    numbers = raw.numbers(at) if at else []
    if why:
        reason, _, way = why.partition(": ")
        way = way or "mend or remove the row"
        return [
            BadRow(n, f"has {shown(v)} in {name}, which {reason}", way) for n, v in zip(numbers, values, strict=True)
        ]
    way = "fill it in or remove the row"
    return [BadRow(n, f"has {name} ({_nothing(raw, v)})", way) for n, v in zip(numbers, values, strict=True)]


def _told_times(raw: RawClicks, rows: pl.Series) -> list[BadRow]:
    at = rows.arg_true().to_list()
    numbers = raw.numbers(at) if at else []
    columns = [column for column in (DATE, TIMESTAMP) if column in raw.frame.columns]
    named = " and ".join(f"'{raw.columns[column]}'" for column in columns)
    say = f"mend --time-format {raw.time_format!r}" if raw.time_format else "say the pattern with --time-format"
    way = f"write ISO (2014-04-07T10:51:09Z) or Unix seconds, {say}, check --columns time=…"
    bad = []
    every = zip(*(_values(raw.frame[column][at]) for column in columns), strict=True)
    for number, row in zip(numbers, every, strict=True):
        if (
            without_nulls(pl.Series([str(v).strip() for v in row if v is not None], dtype=pl.String)).null_count()
            or None in row
        ):
            bad.append(
                BadRow(
                    number,
                    f"has no time in column {named} ({', '.join(_nothing(raw, v) for v in row)})",
                    "fill it in or remove the row",
                )
            )
        else:
            found = " and ".join(map(shown, row))
            why = f"has {found} in column {named}, which cannot be read as a time between {EARLIEST} and {LATEST}"
            bad.append(BadRow(number, why, way))
    return bad


def _values(found: pl.Series) -> list[Any]:
    """Give values as Python has them; times of a year that it does not know are the numbers that the file has."""
    if not isinstance(found.dtype, pl.Datetime):
        return found.to_list()
    number, per_second = found.to_physical(), {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[found.dtype.time_unit]
    known = (number // per_second).is_between(_YEAR_1, _YEAR_9999).fill_null(value=False)
    times = found.set(~known, None).to_list()
    return [n if time is None else time for time, n in zip(times, number.to_list(), strict=True)]


def _nothing(raw: RawClicks, value: object) -> str:
    """Say what stands where nothing should."""
    if value is None:
        return "null" if raw.place == "row" else "empty"
    return "empty" if str(value).strip() == "" else shown(value)


def item_table(clicks: pl.DataFrame, metadata: pl.DataFrame | None) -> tuple[pl.DataFrame, list[str]]:
    """Give each clicked item its category, number of clicks, and what `metadata` (item_id, …) knows of it."""
    counts = clicks.group_by(ITEM_ID).agg(pl.len().cast(pl.Int64).alias("clicks"))
    known = ~pl.col(CATEGORY).is_in(NO_CATEGORY)
    categories = (
        clicks.group_by(ITEM_ID, CATEGORY)
        .len()
        .with_columns(known.alias("known"))
        .sort(["known", "len", CATEGORY], descending=[True, True, False])
        .unique(ITEM_ID, keep="first", maintain_order=True)
    )
    items = counts.join(categories.select(ITEM_ID, CATEGORY), on=ITEM_ID).select(ITEM_ID, CATEGORY, "clicks")
    if metadata is None:
        return items.sort(ITEM_ID), []
    metadata = metadata.with_columns(pl.col(ITEM_ID).cast(pl.String)).drop("clicks", strict=False)
    joined = items.with_columns(pl.col(ITEM_ID).cast(pl.String).alias("_id")).join(
        metadata.rename({ITEM_ID: "_id", **({CATEGORY: "_category"} if CATEGORY in metadata.columns else {})}),
        on="_id",
        how="left",
    )
    if "_category" in joined.columns:
        joined = joined.with_columns(pl.coalesce(pl.col("_category").cast(pl.String), CATEGORY).alias(CATEGORY))
    found = int(items[ITEM_ID].cast(pl.String).is_in(metadata[ITEM_ID].implode()).sum())
    note = f"{found:,} of {len(items):,} items have metadata."
    return joined.drop("_id", "_category", strict=False).sort(ITEM_ID), [note] if found < len(items) else []
