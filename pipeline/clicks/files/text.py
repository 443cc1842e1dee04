"""Delimited text: its encoding, delimiter and quotes are found out, then Polars reads every field as text."""

import codecs
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.clicks.files import careful
from pipeline.clicks.table import Table, unique_names
from pipeline.core.errors import UserError

_DELIMITERS = (",", ";", "\t", "|")
_BOMS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_HEAD = 1 << 20
_NOT_TEXT = bytes({*range(1, 32)} - {*b"\t\n\v\f\r\x1b"})
_BLOCK = 1 << 24
_QUOTE = ord('"')


@dataclass(frozen=True)
class Text:
    """A text file before its rows are read."""

    path: Path
    raw: bytes
    """UTF-8 from the first row on; lines end in LF or CR LF."""
    before: int
    """Lines above the first row."""
    delimiter: str
    first: list[str]
    second: list[str]
    """The first two rows' fields, stripped; empty where there is none."""


def open_text(path: Path, raw: bytes) -> Text:
    """Find out how a text file is written; raise UserError for a binary file and for one without columns."""
    raw = _as_utf8(path, raw)
    if raw.count(b"\r") > raw.count(b"\r\n"):
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    begin = re.compile(rb"(?:[ \t,;|]*\r?\n)*(?:sep=.\r?\n(?:[ \t,;|]*\r?\n)*)?").match(raw)
    skip = begin.end() if begin else 0
    before, body = raw.count(b"\n", 0, skip), raw[skip:] if skip else raw
    if body.startswith((b'{"', b"[{", b"[\n")):
        raise UserError(f"{path} is JSON: write the clicks as CSV or Parquet, one row each.")
    line = body[:_HEAD].split(b"\n", 1)[0].decode("utf-8", "replace")
    bare = re.sub(r'"[^"]*"', "", line)
    delimiter = max(_DELIMITERS, key=bare.count)
    if delimiter not in bare:
        raise UserError(
            f"{path}: its first row {line.strip()[:60]!r} has one field: separate by comma, semicolon, tab or |."
        )
    rows = careful.first_rows(body[:_HEAD], delimiter, 2)
    first, second = ([field.strip() for field in row] for row in (*rows, [], [])[:2])
    return Text(path, body, before, delimiter, first, second)


def read_text_table(text: Text, *, header: bool) -> Table:
    """Read every field as text, columns named by the header (told apart) or by number; bad rows are kept apart."""
    quotes = _quotes(text.raw, text.delimiter)
    names = unique_names(text.first) if header else [str(i) for i in range(1, len(text.first) + 1)]
    skip = int(header)
    if quotes != "mixed" and b"\0" not in text.raw:
        frame = _at_once(text, quotes)
        if frame is not None and frame.width == len(names):
            frame = frame[skip:]
            frame.columns = names
            return Table(text.path, frame, "line", lambda at: _lines(text, at, skip, quoted=quotes == "standard"))
    frame, numbers, broken = careful.read(
        text.path, text.raw, text.delimiter, names, skip, text.before, quoted=quotes != "literal"
    )
    return Table(text.path, frame, "line", lambda positions: [numbers[p] for p in positions], broken)


def _at_once(text: Text, quotes: str) -> pl.DataFrame | None:
    """Read all rows, the header too; None where one of them cannot be read."""
    quote = '"' if quotes == "standard" else None
    try:
        return pl.read_csv(
            io.BytesIO(text.raw), separator=text.delimiter, has_header=False, infer_schema=False, quote_char=quote
        )
    except pl.exceptions.PolarsError:
        return None


def _lines(text: Text, positions: Sequence[int], skip: int, *, quoted: bool) -> list[int]:
    rows = [position + skip for position in positions]
    lines = careful.line_numbers(text.raw, text.delimiter, rows) if quoted else [row + 1 for row in rows]
    return [text.before + line for line in lines]


def whole_lines(raw: bytes) -> bytes:
    """Leave out the last line of a text that is cut somewhere; UTF-16 and UTF-32 become UTF-8."""
    encoding = _wide(raw)
    if encoding:
        raw = codecs.getincrementaldecoder(encoding)("ignore").decode(raw).lstrip("\ufeff").encode()
    return raw[: max(raw.rfind(b"\n"), raw.rfind(b"\r")) + 1] or raw


def _wide(raw: bytes) -> str | None:
    """Tell UTF-16 and UTF-32 by their mark, or by the zeros of UTF-16 without one; None for others."""
    head = raw[:_HEAD]
    encoding = next((name for bom, name in _BOMS.items() if raw.startswith(bom)), None)
    if encoding is None and len(head) > 3:
        for at, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            nul, other = head[at::2].count(0), head[1 - at :: 2].count(0)
            encoding = name if nul > 0.8 * len(head) / 2 and not other else encoding
    return encoding


def _as_utf8(path: Path, raw: bytes) -> bytes:
    """Turn UTF-16 and UTF-32 into UTF-8, and take a byte-order mark off; raise UserError for a binary file."""
    head, encoding = raw[:_HEAD], _wide(raw)
    if encoding:
        try:
            return raw.decode(encoding).lstrip("\ufeff").encode()
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is cut short or damaged as {encoding.upper()} text: save it as UTF-8.") from error
    if len(head.translate(None, _NOT_TEXT)) < 0.98 * len(head) or (b"\0" in head and b"\n" not in head):
        raise UserError(f"{path} is a binary file: clicks are read from CSV, TSV or Parquet, plain, .gz or .zip.")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _quotes(raw: bytes, delimiter: str) -> str:
    """Tell how quotes are used: 'none', 'standard', 'literal' (part of the text, as inches are), or 'mixed'."""
    if b'"' not in raw:
        return "none"
    data = np.frombuffer(raw, np.uint8)
    edge = np.zeros(256, bool)
    edge[[ord(delimiter), 10, 13, _QUOTE]] = True
    before_field = np.zeros(256, bool)
    before_field[[ord(delimiter), 10, 13, 32]] = True
    seen, standard, opens = 0, True, False
    for start in range(0, len(data), _BLOCK):
        at = np.flatnonzero(data[start : start + _BLOCK] == _QUOTE) + start
        before = np.where(at > 0, data[at - 1], 10)
        after = np.where(at < len(data) - 1, data[np.minimum(at + 1, len(data) - 1)], 10)
        closing = (np.arange(seen, seen + len(at)) % 2).astype(bool)
        standard = standard and bool(edge[np.where(closing, after, before)].all())
        opens = opens or bool(before_field[before].any())
        seen += len(at)
    if standard and seen % 2 == 0:
        return "standard"
    return "mixed" if opens else "literal"
