"""The slow reader: it knows the line of each row, and reads on behind a row that cannot be read."""

import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.clicks.bad_rows import BadRow, shown
from pipeline.core.errors import UserError

_BLOCK = 100_000  # rows
csv.field_size_limit(2**31 - 1)


def first_rows(raw: bytes, delimiter: str, count: int) -> list[list[str]]:
    """Read the first rows that hold anything, what is not UTF-8 replaced; fewer where there are no more."""
    rows = []
    try:
        for row in _reader(raw, delimiter, strict=False):
            if any(field.strip() for field in row):
                rows.append([field.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for field in row])
            if len(rows) == count:
                break
    except csv.Error:
        pass
    return rows


def line_numbers(raw: bytes, delimiter: str, positions: Sequence[int]) -> list[int]:
    """Find the line, from 1, on which each row begins; blank lines are rows, too, as Polars counts them."""
    reader = _reader(raw, delimiter, strict=False)
    wanted, found, line = set(positions), {}, 1
    for position, _ in enumerate(reader):
        if position in wanted:
            found[position] = line
            if len(found) == len(wanted):
                break
        line = reader.line_num + 1
    return [found.get(position, line) for position in positions]


def read(
    path: Path, raw: bytes, delimiter: str, names: list[str], skip: int, before: int, *, quoted: bool
) -> tuple[pl.DataFrame, "array[int]", list[BadRow]]:
    """Read rows of text below `skip` rows, the line of each, and the rows that cannot be read.

    Raises UserError for a quote that nothing closes.
    """
    numbers, broken, blocks, rows = array("q"), [], [], []
    for position, (line, last, row) in enumerate(_records(path, raw, delimiter, before, quoted=quoted)):
        if position < skip:
            continue
        fault = (row, "double it") if isinstance(row, str) else _fault(row, names)
        if fault:
            broken.append(BadRow(line, *fault, last - line + 1))
            continue
        rows.append((*row, *[None] * (len(names) - len(row)))[: len(names)])
        numbers.append(line)
        if len(rows) == _BLOCK:
            blocks.append(_frame(rows, names))
            rows = []
    return pl.concat([*blocks, _frame(rows, names)]), numbers, broken


def _records(path: Path, raw: bytes, delimiter: str, before: int, *, quoted: bool) -> Iterator[tuple[int, int, Any]]:
    """Give each row's first and last line, and its fields, or as text what is wrong with it."""
    reader = _reader(raw, delimiter, strict=True, quoted=quoted)
    while True:
        line = before + reader.line_num + 1
        try:
            row: Any = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                raise UserError(
                    f'{path}: line {line} opens a field with a quote (") that nothing closes: close it, or double it '
                    "inside a field that is quoted."
                ) from error
            row = 'has text behind a closing quote (")'
        yield line, before + reader.line_num, row


def _fault(row: list[str], names: list[str]) -> tuple[str, str] | None:
    """Say what is wrong with a row's form, and the way out; None where it can be read."""
    for field in row:
        if not field.isascii() and any("\udc80" <= character <= "\udcff" for character in field):
            found = shown(field.encode("utf-8", "surrogateescape"))
            return f"is not UTF-8 text ({found})", "save the file as UTF-8"
        if "\0" in field:
            return f"holds a NUL byte ({shown(field)})", "write the file again"
    if any(field.strip() for field in row[len(names) :]):
        found = f"has {len(row)} fields where the first row has {len(names)} ({shown(', '.join(row))})"
        return found, "quote or remove what is too much"
    return None


def _reader(raw: bytes, delimiter: str, *, strict: bool, quoted: bool = True) -> Any:
    lines = io.TextIOWrapper(io.BytesIO(raw), "utf-8", "surrogateescape", newline="")
    if not quoted:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)


def _frame(rows: list[tuple[str | None, ...]], names: list[str]) -> pl.DataFrame:
    return pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
