"""Files of clicks and of items: CSV, TSV or Parquet, plain, gzipped or zipped; the YOOCHOOSE format needs no header."""

import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path

import polars as pl

from pipeline.clicks.canonical import ROW
from pipeline.clicks.metadata import typed
from pipeline.errors import UserError
from pipeline.names import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.text import did_you_mean

_DELIMITERS = (",", ";", "\t", "|")
_OBVIOUS = {
    SESSION_ID: ("session_id", "sessionid", "session", "session id"),
    TIMESTAMP: ("timestamp", "time", "datetime", "date"),
    ITEM_ID: ("item_id", "itemid", "item", "product_id"),
    CATEGORY: ("category", "item_category", "category_id"),
}
_SHORT = {"session": SESSION_ID, "time": TIMESTAMP, "item": ITEM_ID, "category": CATEGORY}
_ISO_START = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")


def content(path: Path) -> bytes:
    """Read a file's bytes, unpacked; raise UserError where they are damaged or not text (Parquet apart)."""
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        elif raw[:4] == b"PK\x03\x04":
            raw = _only_member(path)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or cut short ({error}): fetch it again.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    if not raw.strip():
        raise UserError(f"{path} holds nothing: bring a file with at least two sessions.")
    if raw[:4] != b"PAR1" and b"\0" in raw[:65536]:
        raise UserError(f"{path} is a binary file: clicks are read from CSV, TSV or Parquet, plain, .gz or .zip.")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _only_member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/")]
        if len(names) != 1:
            raise UserError(
                f"{path} holds {len(names)} files ({', '.join(names[:5])}): unpack it and name one of them."
            )
        return archive.read(names[0])


def read_clicks(path: Path, raw: bytes, columns: str | None) -> tuple[pl.DataFrame, list[str]]:
    """Read clicks to raw columns (row, session_id, timestamp, item_id, category) and notes."""
    if columns is None and _is_yoochoose(raw):
        frame = _csv(path, raw, ",", header=False)
        frame.columns = list(_SHORT.values())
        return _numbered(frame, 1), ["Read as YOOCHOOSE's raw format."]
    frame = _frame(path, raw)
    chosen = _named(path, columns, frame.columns) if columns else _obvious(path, frame.columns)
    notes = [] if columns else ["Columns taken: " + ", ".join(f"{k}={v}" for k, v in chosen.items()) + "."]
    taken = frame.select(pl.col(source).alias(name) for name, source in chosen.items())
    if CATEGORY not in chosen:
        taken = taken.with_columns(pl.lit(None, pl.String).alias(CATEGORY))
    return _numbered(taken, 2), notes


def read_items(path: Path) -> pl.DataFrame:
    """Read item metadata: item_id as text, and whatever else the file has, with delimited text typed."""
    raw = content(path)
    frame = _frame(path, raw)
    lower = {c.lower(): c for c in frame.columns}
    key = next((lower[n] for n in (*_OBVIOUS[ITEM_ID], "id") if n in lower), None)
    if key is None:
        raise UserError(f"{path} has no item id: name one of its columns ({_some(frame.columns)}) item_id.")
    frame = frame.rename({key: ITEM_ID}).with_columns(pl.col(ITEM_ID).cast(pl.String).str.strip_chars())
    if (twice := frame.filter(pl.col(ITEM_ID).is_duplicated())).height:
        raise UserError(f"{path} names item '{twice[ITEM_ID][0]}' more than once: keep one row an item.")
    return frame if raw[:4] == b"PAR1" else typed(frame)


def _is_yoochoose(raw: bytes) -> bool:
    fields = raw[:400].split(b"\n", 1)[0].decode("utf-8", "replace").strip().split(",")
    return len(fields) == 4 and bool(_ISO_START.match(fields[1]))


def _frame(path: Path, raw: bytes) -> pl.DataFrame:
    if raw[:4] == b"PAR1":
        try:
            return pl.read_parquet(io.BytesIO(raw))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UserError(f"{path} is a damaged Parquet file: write it again.") from error
    return read_text(path, raw)


def read_text(path: Path, raw: bytes) -> pl.DataFrame:
    """Read delimited text with a header, every field as text; the delimiter is the commonest in the first row."""
    first = raw.split(b"\n", 1)[0].decode("utf-8", "replace")
    delimiter = max(_DELIMITERS, key=first.count)
    if delimiter not in first:
        raise UserError(
            f"{path}: its first row {first.strip()[:60]!r} has one field: separate by comma, semicolon, tab or |."
        )
    return _csv(path, raw, delimiter, header=True)


def _csv(path: Path, raw: bytes, delimiter: str, *, header: bool) -> pl.DataFrame:
    """Read delimited text with every field as text; a row with another number of fields is named."""
    try:
        return pl.read_csv(io.BytesIO(raw), separator=delimiter, has_header=header, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise UserError(_what_is_wrong(path, raw, delimiter, str(error))) from error


def _what_is_wrong(path: Path, raw: bytes, delimiter: str, message: str) -> str:
    try:
        lines = raw.decode().splitlines()
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        return f"{path}: row {row} is not UTF-8 text: save the file as UTF-8."
    expected = lines[0].count(delimiter)
    for row, line in enumerate(lines, 1):
        if line and line.count(delimiter) != expected:
            return (
                f"{path}: row {row} has {line.count(delimiter) + 1} fields where the first has {expected + 1} "
                f"({line[:60]!r}): check the delimiter and mend or remove the row."
            )
    return f"{path} cannot be read as text separated by {delimiter!r}: {message.splitlines()[0][:150]}"


def _named(path: Path, columns: str, there: list[str]) -> dict[str, str]:
    chosen = {}
    for part in columns.split(","):
        short, equals, source = (p.strip() for p in part.partition("="))
        if not equals or short not in _SHORT:
            raise UserError(f"--columns {columns!r}: '{part}' is not one of session=…, time=…, item=…, category=….")
        if source not in there:
            close = did_you_mean(source, there)
            raise UserError(f"{path} has no column '{source}': it has {_some(there)}.{close}")
        chosen[_SHORT[short]] = source
    missing = [s for s, name in _SHORT.items() if name not in chosen and s != "category"]
    if missing:
        raise UserError(f"--columns {columns!r} does not say which column is the {missing[0]}: add {missing[0]}=….")
    return chosen


def _obvious(path: Path, there: list[str]) -> dict[str, str]:
    lower = {c.lower(): c for c in there}
    found = {name: next((lower[n] for n in names if n in lower), None) for name, names in _OBVIOUS.items()}
    chosen = {name: source for name, source in found.items() if source is not None}
    missing = [short for short, name in _SHORT.items() if name not in chosen and short != "category"]
    if missing:
        raise UserError(
            f"{path} has the columns {_some(there)}, and which is the {missing[0]} is not clear: "
            "say it with --columns session=…,time=…,item=…."
        )
    return chosen


def _some(columns: list[str]) -> str:
    return ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")


def _numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    return frame.with_row_index(ROW, offset=first)
