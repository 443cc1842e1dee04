"""Raw columns -> canonical types; every rule about ids, times and categories is here."""

import polars as pl

from pipeline.errors import UserError
from pipeline.names import CATEGORY, CLICK_COLUMNS, ITEM_ID, SESSION_ID, SPECIAL_OFFER, TIMESTAMP, UNKNOWN_CATEGORY

ROW = "row"  # a raw table's line in its file, from 1
_EARLIEST, _LATEST = 1990, 2100


def canonical(raw: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Type and sort raw clicks (row, session_id, timestamp, item_id, category); give notes for the user."""
    for column in (SESSION_ID, ITEM_ID):
        _refuse_missing(raw, column)
    times, notes = parse_times(raw)
    raw = raw.with_columns(times)
    category = pl.col(CATEGORY).cast(pl.String).str.strip_chars()
    category = pl.when(category.is_null() | (category == "")).then(pl.lit(UNKNOWN_CATEGORY)).otherwise(category)
    typed = raw.with_columns(whole_or_text(raw[SESSION_ID]), whole_or_text(raw[ITEM_ID]), category.alias(CATEGORY))
    return typed.select(CLICK_COLUMNS).sort(SESSION_ID, TIMESTAMP, maintain_order=True), notes


def _refuse_missing(raw: pl.DataFrame, column: str) -> None:
    value = raw[column]
    missing = value.is_null()
    if value.dtype == pl.String:
        missing = missing | (value.str.strip_chars() == "")
    if missing.any():
        row = raw.filter(missing)[ROW][0]
        raise UserError(f"Row {row} has no {column}: every click needs one; fill it in or remove the row.")


def whole_or_text(values: pl.Series) -> pl.Series:
    """Keep ids as Int64 where every one is a whole number that reads back the same, else as text."""
    if values.dtype.is_integer():
        return values.cast(pl.Int64)
    text = values.cast(pl.String).str.strip_chars()
    whole = text.cast(pl.Int64, strict=False)
    same = whole.is_not_null().all() and (whole.cast(pl.String) == text).all()
    return whole if same else text


def parse_times(raw: pl.DataFrame) -> tuple[pl.Series, list[str]]:
    """Read times as ISO text (UTC where no zone is given) or Unix seconds or milliseconds, to UTC microseconds."""
    values = raw[TIMESTAMP]
    if isinstance(values.dtype, pl.Datetime):
        zone = values.dtype.time_zone
        utc = values.dt.convert_time_zone("UTC") if zone else values.dt.replace_time_zone("UTC")
        return _checked(raw, utc.cast(pl.Datetime("us", "UTC"))), [] if zone else [_ASSUMED]
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.is_not_null().all():
        factor = 1e6 if numbers.abs().median() < 1e11 else 1e3  # type: ignore[operator]
        return _checked(raw, (numbers * factor).cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")), []
    text = values.cast(pl.String).str.strip_chars().str.replace(" ", "T")
    zoned = text.str.contains(r"(Z|[+-]\d\d:?\d\d)$")
    whole = pl.select(pl.when(zoned).then(text).otherwise(text + "Z")).to_series()
    times = _iso(whole)
    return _checked(raw, times.rename(TIMESTAMP)), [] if zoned.all() else [_ASSUMED]


_ASSUMED = "Times carry no zone; UTC is assumed."


def _iso(text: pl.Series) -> pl.Series:
    """Parse ISO text with a zone, with or without seconds and fractions; null where it is none."""
    text = text.str.replace(r"Z$", "+00:00").str.replace(r"^(\d{4}-\d\d-\d\d)(\+00:00)$", "${1}T00:00:00${2}")
    text = text.str.replace(r"T(\d\d:\d\d)([+-])", "T${1}:00${2}").str.replace(r"(\.\d{6})\d+", "${1}")
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False)


def _checked(raw: pl.DataFrame, times: pl.Series) -> pl.Series:
    wrong = times.is_null() | (times.dt.year() < _EARLIEST) | (times.dt.year() > _LATEST)
    if wrong.fill_null(True).any():
        at = int(wrong.fill_null(True).arg_max() or 0)
        found = raw[TIMESTAMP][at]
        raise UserError(
            f"Row {raw[ROW][at]}: the time {found!r} cannot be read as a time between {_EARLIEST} and {_LATEST}; write "
            "ISO (2014-04-07T10:51:09Z) or Unix seconds or milliseconds, and check `--columns time=…`."
        )
    return times.rename(TIMESTAMP)


def item_table(clicks: pl.DataFrame, metadata: pl.DataFrame | None) -> tuple[pl.DataFrame, list[str]]:
    """Give each clicked item its category, number of clicks, and what `metadata` (item_id, …) knows of it."""
    counts = clicks.group_by(ITEM_ID).agg(pl.len().cast(pl.Int64).alias("clicks"))
    known = ~pl.col(CATEGORY).is_in([UNKNOWN_CATEGORY, SPECIAL_OFFER])
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
