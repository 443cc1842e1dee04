"""Times of any type, to UTC microseconds; each that is read in more than one way is said."""

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from pipeline.clicks.values.ids import decoded, without_nulls
from pipeline.clicks.values.iso import ASSUMED, DAYS, UTC_US, read_iso
from pipeline.core.errors import UserError

EARLIEST, LATEST = 1990, 2100
_LOW, _HIGH = 631_152_000, 4_133_980_800  # their first second and the second after their last
_UNITS = (("seconds", 1), ("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000))
_GROUPED = r"^\d{1,3}([.,' ]\d{3}){3,}$"
_NUMBER = rf"^[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?$|{_GROUPED}"
_SAMPLE = 1000  # rows that tell how a column is written
_WRITTEN = ((19_000_101, 21_010_101), (19_000_101_000_000, 21_010_101_000_000))  # yyyymmdd, yyyymmddHHMMSS


@dataclass(frozen=True)
class Times:
    """Times (n,) in UTC, null where a row has none that can be read, and sentences for the user."""

    values: pl.Series
    notes: list[str] = field(default_factory=list)


def read_times(values: pl.Series, file: object, column: str, form: str | None = None) -> Times:
    """Read times (n,) of any type; `form` is 'day-first', 'month-first' or a pattern such as '%d.%m.%Y %H:%M'.

    Raises UserError for a column of another kind, and where day and month cannot be told apart.
    """
    dtype = values.dtype
    if dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    elif dtype == pl.Binary:
        values = decoded(values)[0]
    if isinstance(dtype, pl.Datetime):
        utc = values.dt.convert_time_zone("UTC") if dtype.time_zone else values.dt.replace_time_zone("UTC")
        found = Times(utc.cast(UTC_US, strict=False), [] if dtype.time_zone else [ASSUMED])
    elif dtype == pl.Date:
        found = Times(values.cast(pl.Datetime("us"), strict=False).dt.replace_time_zone("UTC"), [ASSUMED, DAYS])
    elif values.dtype == pl.String:
        found = _from_text(values, file, column, form)
    elif dtype.is_numeric():
        found = _from_numbers(values, column)
    elif dtype == pl.Null:
        found = Times(values.cast(UTC_US))
    else:
        kind, way = "no times", "name the column that has them with --columns time=…"
        if dtype.is_nested():
            kind, way = "lists or structs, not one time a row", "write one row a click (explode it)"
        elif dtype in (pl.Time, pl.Duration):
            kind, way = "times without their date", "name the date's column too, with --columns date=…"
        raise UserError(f"{file}: column '{column}' holds {kind} ({dtype}): {way}.")
    return replace(found, values=_in_range(found.values))


def _in_range(times: pl.Series) -> pl.Series:
    """Make null of times that no click log has."""
    low, high = (
        pl.lit(second * 1_000_000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for second in (_LOW, _HIGH)
    )
    frame = times.to_frame("t")
    if frame.select(((pl.col("t") >= low) & (pl.col("t") < high)).all()).item():
        return times
    return frame.select(pl.when((pl.col("t") >= low) & (pl.col("t") < high)).then(pl.col("t"))).to_series()


def _from_text(values: pl.Series, file: object, column: str, form: str | None) -> Times:
    """Read each row as a number where it is one, else as ISO text or what `form` says."""
    whole = values.cast(pl.Int64, strict=False)  # as most are; a copy without spaces takes much memory
    if form is None and not whole.null_count():
        return _from_numbers(whole, column)
    text = without_nulls(values.str.strip_chars()).alias("")
    whole = text.cast(pl.Int64, strict=False)
    if form is None and whole.null_count() == text.null_count():
        return _from_numbers(whole, column)
    if form is not None or not text.drop_nulls().head(_SAMPLE).str.contains(_NUMBER).any():
        times, notes = read_iso(text, file, column, form)
        text = text.set(times.is_not_null(), None)
        if form is not None or text.null_count() == len(text):
            return Times(times, notes)
    else:
        times, notes = pl.repeat(None, len(text), dtype=UTC_US, eager=True), []
    plain = text.str.contains(_NUMBER).fill_null(value=False)
    numbers = _from_numbers(_parsed(text.set(~plain, None)), column)
    others, more = read_iso(text.set(plain, None), file, column, form)
    found = times.zip_with(times.is_not_null(), numbers.values.zip_with(plain, others))
    return Times(found, list(dict.fromkeys(notes + numbers.notes + more)))


def _parsed(text: pl.Series) -> pl.Series:
    """Parse numbers as Int64 where all are whole, else as Float64, of which the comma may be the point."""
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() == text.null_count():
        return whole
    grouped = text.str.contains(_GROUPED).fill_null(value=False)
    points = text.str.replace(",", ".", literal=True)
    return text.str.replace_all(r"[.,' ]", "").zip_with(grouped, points).cast(pl.Float64, strict=False)


def _from_numbers(values: pl.Series, column: str) -> Times:
    """Read numbers as Unix time in the unit that their size tells, or as dates written in digits."""
    whole, single = values.dtype.is_integer(), values.dtype == pl.Float32
    if whole:
        values = values if values.dtype in (pl.UInt64, pl.Int128, pl.UInt128) else values.cast(pl.Int64)
    else:
        values = values.cast(pl.Float64).fill_nan(None)
        values = values.set(values.is_infinite().fill_null(value=False), None)
    found = values.median()
    if found is None:
        return Times(pl.repeat(None, len(values), dtype=UTC_US, eager=True))
    size = abs(float(found))  # type: ignore[arg-type]
    if any(low <= size < high for low, high in _WRITTEN):
        return Times(*read_iso(values.cast(pl.Int64, strict=False).cast(pl.String), "", column, None))
    unit, per_second = next((u for u in _UNITS if size < 1e11 * u[1]), _UNITS[-1])
    notes = [f"Times in column '{column}' are read as Unix {unit}."]
    if single:
        apart = float(np.spacing(np.float32(size))) / per_second
        notes.append(
            f"Times in column '{column}' are 32-bit floats, which lie {apart:g} s apart at best, so the order of "
            "clicks is lost: write them as whole numbers or 64-bit floats."
        )
    inside = ((values >= _LOW * per_second) & (values < _HIGH * per_second)).fill_null(value=False)
    values = values if inside.all() else values.set(~inside, None)
    if not whole:
        micro = (values * (1_000_000 / per_second)).round().cast(pl.Int64)
    elif per_second <= 1_000_000:
        micro = values.cast(pl.Int64) * (1_000_000 // per_second)
    else:
        micro = values.cast(pl.Int64) // (per_second // 1_000_000)
    return Times(micro.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), notes)
