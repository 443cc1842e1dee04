"""Times written as text: ISO and its everyday kin, and others by a pattern that the user gives."""

from datetime import datetime

import polars as pl

from pipeline.core.errors import UserError

ASSUMED = "Times carry no zone; UTC is assumed."
DAYS = "Times are whole days: within a day, clicks keep the order of the file."
UTC_US = pl.Datetime("us", "UTC")
_SAMPLE = 1000  # rows that tell how a column is written
_FAST = (  # pattern, whether it has a zone: one pass for a column that is written in one way
    ("%Y-%m-%dT%H:%M:%S%.fZ", True),
    ("%Y-%m-%d %H:%M:%S%.f UTC", True),
    ("%Y-%m-%d %H:%M:%S%.f", False),
    ("%Y-%m-%dT%H:%M:%S%.f", False),
    ("%Y-%m-%dT%H:%M:%S%.f%#z", True),
    ("%Y-%m-%d %H:%M:%S%.f%#z", True),
)
_COMPACT = (r"^(\d{4})(\d\d)(\d\d)", r"^(\S{10})[T ]?(\d\d)(\d\d)(\d\d)?")
_PARTS = (
    r"(?i)^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"(?:[T_]|\s+)?(?:(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d+))?)?)?"
    r"\s*(?P<z>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?$"
)
_TWO_SIDED = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})"
_LATEST_OFFSET = 14 * 60  # minutes


def read_iso(text: pl.Series, file: object, column: str, form: str | None) -> tuple[pl.Series, list[str]]:
    """Read stripped text (n,) to UTC microseconds, null where it is no time, and sentences for the user.

    Raises UserError where day and month cannot be told apart, and for a pattern that is none.
    """
    if form is not None and form not in ("day-first", "month-first"):
        return _by_pattern(text, form)
    text, notes = _year_first(text, file, column, form)
    first = text.drop_nulls().head(1)
    pattern, naive = next(((p, not zoned) for p, zoned in _FAST if not _parsed(first, p).null_count()), ("", False))
    times = _utc(_parsed(text, pattern)) if pattern else pl.repeat(None, len(text), dtype=UTC_US, eager=True)
    if times.null_count() > text.null_count():
        others, bare, days = _by_parts(text.set(times.is_not_null(), None))
        times, naive = times.zip_with(times.is_not_null(), others), naive or bare
        notes = [*notes, DAYS] if days and not pattern else notes
    return times, [ASSUMED, *notes] if naive else notes


def _utc(times: pl.Series) -> pl.Series:
    zone = times.dtype.time_zone  # type: ignore[attr-defined]
    return times.dt.convert_time_zone("UTC") if zone else times.dt.replace_time_zone("UTC")


def _parsed(text: pl.Series, pattern: str) -> pl.Series:
    return text.str.to_datetime(pattern, time_unit="us", strict=False)


def _by_parts(text: pl.Series) -> tuple[pl.Series, bool, bool]:
    """Read each row by its parts; tell whether some have no zone, and whether all that are read are whole days."""
    text = text.str.replace(_COMPACT[0], "${1}-${2}-${3}")
    text = text.str.replace(_COMPACT[1], "${1}T${2}:${3}:${4}").str.replace(r":([^0-9]|$)", "${1}")
    parts = text.str.extract_groups(_PARTS).struct.unnest()

    def two(name: str) -> pl.Expr:
        return pl.col(name).fill_null("0").str.zfill(2)

    date = pl.concat_str("y", two("m"), two("d"), separator="-")
    clock = pl.concat_str(two("H"), two("M"), two("S"), separator=":")
    written = pl.concat_str(date, pl.lit("T"), clock, pl.lit("."), pl.col("f").fill_null("0").str.head(6))
    hours = pl.col("z").str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = pl.col("z").str.tail(2).cast(pl.Int64, strict=False)
    offset = hours * 60 + pl.when(pl.col("z").str.len_chars() > 3).then(minutes).otherwise(0)
    offset = pl.when(pl.col("z").str.starts_with("-")).then(-offset).otherwise(offset).fill_null(0)
    times = written.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False).dt.replace_time_zone("UTC")
    read = pl.col("y").is_not_null()
    return (
        parts.select(
            pl.when(read & (offset.abs() <= _LATEST_OFFSET)).then(times - pl.duration(minutes=offset))
        ).to_series(),
        bool(parts.select((read & pl.col("z").is_null()).any()).item()),
        bool(parts.select((read & pl.col("H").is_null()).any() & (~read | pl.col("H").is_null()).all()).item()),
    )


def _by_pattern(text: pl.Series, pattern: str) -> tuple[pl.Series, list[str]]:
    try:
        datetime.now().strftime(pattern)
        times = text.str.to_datetime(pattern, time_unit="us", strict=False)
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"--time-format {pattern!r} is no pattern for times ({str(error).splitlines()[0][:80]}): write day-first, "
            "month-first, or one such as '%d.%m.%Y %H:%M:%S'."
        ) from error
    return _utc(times), [] if times.dtype.time_zone else [ASSUMED]  # type: ignore[attr-defined]


def _year_first(text: pl.Series, file: object, column: str, form: str | None) -> tuple[pl.Series, list[str]]:
    """Put the year first where the day or the month was; which of them it was is told by values above 12."""
    some = text.drop_nulls().head(_SAMPLE)
    some = some.filter(some.str.contains(_TWO_SIDED))
    if some.is_empty():
        return text, []
    parts = text.str.extract_groups(_TWO_SIDED).struct.unnest().cast(pl.Int64)
    left, right = (bool((parts[name] > 12).any()) for name in ("1", "2"))
    if form is None and left == right:
        raise UserError(
            f"{file}: column '{column}' has {some[0]!r}, of which day and month cannot be told apart: say "
            "--time-format day-first or month-first, or write 2014-04-07."
        )
    day_first = form == "day-first" if form else left
    order = "${3}-${2}-${1}" if day_first else "${3}-${1}-${2}"
    said = [] if form else [f"Times in column '{column}' are read with the {'day' if day_first else 'month'} first."]
    return text.str.replace(_TWO_SIDED, order), said
