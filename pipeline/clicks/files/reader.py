"""Files of clicks and of items: CSV, TSV or Parquet, plain or packed; the YOOCHOOSE format needs no header."""

import re
from pathlib import Path

import polars as pl

from pipeline.clicks import columns
from pipeline.clicks.bad_rows import BadRow, leave_out, shown
from pipeline.clicks.canonical import RawClicks
from pipeline.clicks.columns import OBVIOUS, ClickColumns
from pipeline.clicks.files import archives, parquet, yoochoose
from pipeline.clicks.files import text as text_files
from pipeline.clicks.metadata import typed
from pipeline.clicks.table import Table, refuse_twice
from pipeline.clicks.values.ids import read_ids
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError

_HEAD = 1 << 16  # bytes
_NOTHING = b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"
_ISO_START = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")
_YOOCHOOSE = {SESSION_ID: 0, TIMESTAMP: 1, ITEM_ID: 2, CATEGORY: 3}


def content(path: Path) -> bytes:
    """Read a file's bytes, unpacked; raise UserError where they are damaged or nothing."""
    raw = archives.unpack(path)
    if not (raw[:_HEAD].strip(_NOTHING) or raw.strip(_NOTHING)):
        raise UserError(f"{path} holds nothing: use a file with at least two sessions.")
    return raw


def read_clicks(path: Path, raw: bytes, asked: str | None, time_format: str | None = None) -> RawClicks:
    """Read clicks to raw columns; `asked` says which they are ('session=…,time=…,item=…')."""
    if raw.startswith(archives.PARQUET):
        choice = columns.choose(path, asked, parquet.column_names(path, raw), None)
        table = parquet.read_parquet_table(path, raw, list(choice.at.values()))
        frame = table.frame.rename(dict(zip(table.frame.columns, choice.at, strict=True)))
    else:
        text = text_files.open_text(path, raw)
        known = _yoochoose(text.first) if asked is None else None
        choice = known or columns.choose(path, asked, text.first, text.second, time_format)
        table = text_files.read_text_table(text, header=choice.header)
        frame = table.frame.select(table.frame.to_series(at).alias(name) for name, at in choice.at.items())
    return RawClicks(
        str(path),
        frame,
        choice.names,
        table.place,
        table.numbers,
        lambda some: _blank(table, some),
        table.broken,
        choice.notes,
        time_format,
        choice.users,
    )


def columns_of(path: Path, raw: bytes) -> dict[str, str]:
    """Name a file's columns, each with what its first row has there, '' in Parquet; raise UserError without any.

    They have their position from 1 for a name where the first line is a click.
    """
    if raw.startswith(archives.PARQUET):
        return dict.fromkeys(parquet.column_names(path, raw), "")
    text = text_files.open_text(path, raw)
    header = not any(columns.is_time(value) for value in text.first)
    names = text.first if header else [str(at + 1) for at in range(len(text.first))]
    row = text.second if header else text.first
    return dict(zip(names, [*row, *[""] * len(names)], strict=False))


def read_items(path: Path, bad_rows: int | None = None) -> pl.DataFrame:
    """Read item metadata: item_id as text, read as the clicks' are, and whatever else the file has, text typed.

    Raises UserError where more than `bad_rows` rows cannot be read, or an item stands in two.
    """
    raw = content(path)
    if raw.startswith(archives.PARQUET):
        names, table = parquet.column_names(path, raw), parquet.read_parquet_table(path, raw)
    else:
        text = text_files.open_text(path, raw)
        names, table = text.first, text_files.read_text_table(text, header=True)
    lower = {name.lower(): name for name in reversed(names)}
    key = next((lower[n] for n in (*OBVIOUS[ITEM_ID], "id") if n in lower), None)
    if key is None:
        raise UserError(f"{path} has no item id: name one of its columns ({columns.some(names)}) item_id.")
    refuse_twice(path, names, key)
    kept = _with_ids(table, key, bad_rows)
    return kept if raw.startswith(archives.PARQUET) else typed(kept)


def read_text(path: Path, raw: bytes) -> pl.DataFrame:
    """Read delimited text with a header, every field as text; raise UserError for a row that cannot be read."""
    table = text_files.read_text_table(text_files.open_text(path, raw), header=True)
    leave_out(path, table.place, table.broken, table.frame.height + len(table.broken), None)
    return table.frame


def _yoochoose(first: list[str]) -> ClickColumns | None:
    if len(first) != len(_YOOCHOOSE) or not _ISO_START.match(first[1]):
        return None
    names = {role: str(at + 1) for role, at in _YOOCHOOSE.items()}
    return ClickColumns(_YOOCHOOSE, names, header=False, notes=[yoochoose.NOTE])


def _blank(table: Table, some: pl.Series) -> pl.Series:
    """Mark those of `some` lines that hold nothing, such as a file's blank last one; a row of Parquet is a row."""
    blank = some.clone()
    if table.place == "line" and some.any():
        empty = pl.all_horizontal(pl.all().is_null() | (pl.all().str.strip_chars() == ""))
        blank[some.arg_true()] = table.frame.filter(some).select(empty).to_series()
        return blank
    return pl.repeat(False, len(some), eager=True)


def _with_ids(table: Table, key: str, bad_rows: int | None) -> pl.DataFrame:
    """Read the ids of a table of items, and leave out the rows that have none."""
    ids = read_ids(table.frame[key], table.path, key)
    out = _blank(table, ids.values.is_null())
    bad = list(table.broken)
    for fault, why in [*ids.faults, (ids.values.is_null(), "")]:
        at = (fault & ~out).arg_true().to_list()
        for number, value in zip(table.numbers(at) if at else [], table.frame[key][at], strict=True):
            what = f"has {shown(value)} in column '{key}', which {why}" if why else f"has no item id in column '{key}'"
            bad.append(BadRow(number, what, "mend or remove the row"))
        out = out | fault
    leave_out(table.path, table.place, bad, table.frame.height + len(table.broken), bad_rows)
    named = ids.values.cast(pl.String).alias(ITEM_ID)
    frame = table.frame.with_columns(named.alias(key)).rename({key: ITEM_ID} if key != ITEM_ID else {})
    kept = frame.filter(~out)
    if (twice := kept[ITEM_ID].is_duplicated()).any():
        item = kept[ITEM_ID].filter(twice)[0]
        first, second = table.numbers(((named == item) & ~out).arg_true()[:2].to_list())
        raise UserError(
            f"{table.path} names item '{item}' more than once ({table.place}s {first} and {second}): keep one row an "
            "item."
        )
    return kept
