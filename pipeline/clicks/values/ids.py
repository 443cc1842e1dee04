"""Ids as a person reads them: the one routine for the sessions and items of clicks, and for the items of metadata."""

from dataclasses import dataclass, field

import polars as pl

from pipeline.core.errors import UserError

NULLS = ("", "\\N", "NULL", "Null", "null", "NaN", "NAN", "nan", "<NA>", "NaT", "None", "#N/A")  # text for nothing
_BLOCK = 1 << 18  # rows
_DIGITS = {pl.Float16: 11, pl.Float32: 24, pl.Float64: 53}  # bits that whole numbers have in a float
_POINT = r"^-?(0|[1-9]\d*)\.0$"  # as programs write a whole float; a person's 1e5 is text
_EXPONENT = r"^-?[1-9](\.\d+)?e\+\d\d$"


@dataclass(frozen=True)
class Ids:
    """Ids, null where there is none; `faults` are the rows of a value that is no id, each with its reason."""

    values: pl.Series
    faults: list[tuple[pl.Series, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_ids(values: pl.Series, file: object, column: str) -> Ids:
    """Read ids (n,) of any type as Int64 where each is a whole number that reads back the same, else as text.

    Raises UserError for a column of lists, of times, or of truth values.
    """
    dtype = values.dtype
    if dtype.is_nested() or dtype.is_temporal() or dtype in (pl.Boolean, pl.Object):
        raise UserError(f"{file}: column '{column}' holds {_kind(dtype)}, and ids are text or numbers: {_way(dtype)}.")
    if dtype.is_integer():
        return Ids(whole_or_text(values))
    if dtype.is_float():
        return _from_floats(values)
    if dtype == pl.Binary:
        values, broken = decoded(values)
        found = _from_text(values.cast(pl.String), column)
        why = "holds bytes that are not UTF-8 text, where ids are text or numbers"
        return Ids(found.values, [*found.faults, (broken, why)], found.notes)
    if dtype.is_decimal():
        text = values.cast(pl.String)
        return Ids(whole_or_text(text.str.replace(r"\.0+$", "")))
    return _from_text(values.cast(pl.String), column)


def whole_or_text(values: pl.Series) -> pl.Series:
    """Keep ids as Int64 where every one that is there is a whole number that reads back the same, else as text."""
    if values.dtype.is_integer():
        whole = values.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == values.null_count() else values.cast(pl.String)
    whole = values.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == values.null_count() and _reads_back(whole, values) else values


def _reads_back(whole: pl.Series, text: pl.Series) -> bool:
    """Tell whether each whole number is written as its text is, a block at a time, as text takes much memory."""
    starts = range(0, len(text), _BLOCK)
    return all((whole.slice(at, _BLOCK).cast(pl.String) == text.slice(at, _BLOCK)).all() for at in starts)


def decoded(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Read bytes as UTF-8 text, and mark those that are none."""
    try:
        return values.cast(pl.String), pl.repeat(False, len(values), eager=True)
    except pl.exceptions.ComputeError:
        text = [None if v is None else v.decode("utf-8", "replace") for v in values]
        broken = [t is not None and t.encode() != v for v, t in zip(values, text, strict=True)]
        return (
            pl.Series(values.name, [None if b else t for t, b in zip(text, broken, strict=True)], pl.String),
            pl.Series(broken, dtype=pl.Boolean),
        )


def _from_text(text: pl.Series, column: str) -> Ids:
    whole = whole_or_text(text)
    if whole.dtype == pl.Int64 and not whole.null_count():
        return Ids(whole)
    text = without_nulls(text.str.strip_chars())
    if not (text.str.ends_with(".0").any() or text.str.contains("e+", literal=True).any()):
        return Ids(whole_or_text(text))
    whole = text.set(~text.str.contains(_POINT), None).str.strip_suffix(".0").cast(pl.Int128, strict=False)
    large = text.set(~text.str.contains(_EXPONENT), None).cast(pl.Float64, strict=False)
    large = large.set((large.floor() != large) | (large >= 1e38), None).cast(pl.Int128)
    whole = whole.zip_with(whole.is_not_null(), large)
    floats = whole.is_not_null()
    bare = pl.select(pl.coalesce(whole.cast(pl.String), text)).to_series()
    notes = []
    if floats.any():
        first = int(floats.arg_max() or 0)
        notes = [f"Ids in column '{column}' that are written as '{text[first]}' are read as {bare[first]}."]
    return Ids(whole_or_text(bare), [_rounded(whole, 53)], notes)


def without_nulls(text: pl.Series) -> pl.Series:
    """Make null of text that stands for nothing."""
    nothing = text.is_in(NULLS)
    return pl.select(pl.when(~nothing).then(text)).to_series().alias(text.name) if nothing.any() else text


def _from_floats(values: pl.Series) -> Ids:
    """Read whole floats as integers; those that may have been rounded are faults."""
    bits = _DIGITS[type(values.dtype)]  # type: ignore[index]
    wide = values.cast(pl.Float64).fill_nan(None)
    infinite = wide.is_infinite().fill_null(value=False)
    rounded, why = _rounded(wide.abs().set(infinite, None), bits)
    faults = [(infinite, "holds an infinite number, which is no id"), (rounded, why)]
    known = wide.set(infinite | rounded, None)
    if (known.floor() == known).all():
        return Ids(known.cast(pl.Int64), faults)
    whole = known.set((known.floor() != known).fill_null(value=False), None).cast(pl.Int64).cast(pl.String)
    shown = values.fill_nan(None).cast(pl.String)
    return Ids(pl.select(pl.when(known.is_not_null()).then(pl.coalesce(whole, shown))).to_series(), faults)


def _rounded(whole: pl.Series, bits: int) -> tuple[pl.Series, str]:
    why = (
        f"went through a float, where whole numbers from 2^{bits} on run into one another: write the ids as "
        "whole numbers or text from where they were made"
    )
    return (whole.abs() >= 2**bits).fill_null(value=False), why


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_nested():
        return f"{'structs' if isinstance(dtype, pl.Struct) else 'lists'} ({dtype})"
    return {pl.Boolean: "true and false", pl.Object: "objects"}.get(type(dtype), f"times ({dtype})")  # type: ignore[call-overload, no-any-return]


def _way(dtype: pl.DataType) -> str:
    return "write one row a click (explode it)" if dtype.is_nested() else "name another column with --columns"
