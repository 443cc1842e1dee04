"""Times written in two columns: a date, and a time of day or the time since the day or the session began."""

import polars as pl

from pipeline.clicks.values.ids import without_nulls
from pipeline.clicks.values.iso import DAYS
from pipeline.clicks.values.times import Times, read_times
from pipeline.core.errors import UserError

_DAY = 86_400  # seconds
_LONGEST = 1e12  # milliseconds or seconds since a date; what is longer is no time


def read_date_and_time(
    dates: pl.Series, clocks: pl.Series, file: object, names: tuple[str, str], form: str | None
) -> Times:
    """Read times (n,) from dates and times of day, durations, or seconds or milliseconds since the date.

    `names` are those of the two columns; `form` reads both, joined by a space. Raises UserError as `read_times`
    does, and for dates that are no whole days.
    """
    date, clock = names
    if clocks.dtype in (pl.Categorical, pl.Enum):
        clocks = clocks.cast(pl.String)
    if clocks.dtype == pl.String:
        clocks = without_nulls(clocks.str.strip_chars())
    written = clocks.dtype == pl.Time or (clocks.dtype == pl.String and bool(clocks.str.contains(":").any()))
    joined = f"{date} {clock}"
    if written and form and "%" in form:
        return read_times(_joined(dates.cast(pl.String).str.strip_chars(), clocks), file, joined, form)
    days = read_times(dates, file, date, form)
    if (days.values.dt.truncate("1d") != days.values).any():
        raise UserError(f"{file}: column '{date}' has times and not dates alone: name it with --columns time={date}.")
    notes = [note for note in days.notes if note != DAYS]
    if written:
        found = read_times(_joined(days.values.dt.strftime("%Y-%m-%d"), clocks), file, joined)
        return Times(found.values, [*notes, *(note for note in found.notes if note not in notes)])
    if not (clocks.dtype in (pl.String, pl.Duration, pl.Null) or clocks.dtype.is_numeric()):
        raise UserError(
            f"{file}: column '{clock}' holds no times of day ({clocks.dtype}): leave it out, with time={date}."
        )
    if isinstance(clocks.dtype, pl.Duration):
        return Times(days.values + clocks, notes)
    numbers = clocks.cast(pl.Float64, strict=False).fill_nan(None)
    numbers = numbers.set((numbers.is_infinite() | (numbers < 0) | (numbers >= _LONGEST)).fill_null(value=False), None)
    longest = float(numbers.max() or 0)  # type: ignore[arg-type]
    unit, factor = ("milliseconds", 1e3) if longest > _DAY or clock.lower() == "timeframe" else ("seconds", 1e6)
    since = (numbers * factor).round().cast(pl.Int64).cast(pl.Duration("us"))
    return Times(days.values + since, [*notes, f"A click's time is its '{date}' and '{clock}' in {unit}."])


def _joined(days: pl.Series, clocks: pl.Series) -> pl.Series:
    return pl.select(pl.concat_str(days, clocks.cast(pl.String), separator=" ")).to_series()
