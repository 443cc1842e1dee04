"""YOOCHOOSE's raw format, a piece at a time: a file of any size takes no more memory than its clicks.

What is not written exactly so – a quote, a space, a leading zero, a value that is missing – is left to the careful way
of `reader`, which reads everything, says what is wrong with which row, and takes several times the memory.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import polars as pl

from pipeline.clicks.files import archives
from pipeline.clicks.values.ids import NULLS
from pipeline.core.columns import CATEGORY, CLICK_COLUMNS, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.progress import Progress

NOTE = "Read as YOOCHOOSE's raw format."
_PIECE = 1 << 26  # bytes
_SCHEMA = {SESSION_ID: pl.Int64, TIMESTAMP: pl.String, ITEM_ID: pl.Int64, CATEGORY: pl.String}
_ISO = "%Y-%m-%dT%H:%M:%S%.3fZ"
_BETWEEN = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_POWERS = 10 ** np.arange(1, 19, dtype=np.int64)
_SEPARATORS = 4  # three commas and a line's end


def read(path: Path, progress: Progress) -> pl.DataFrame | None:
    """Read canonical clicks in the order of the file; None where anything is not written exactly as YOOCHOOSE does.

    Raises UserError for more text than there is memory for its clicks.
    """
    total, unpacked, most = path.stat().st_size, 0, archives.most_bytes()
    pieces: list[pl.DataFrame] = []
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            for block in _blocks(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file):
                piece = _parsed(block)
                if piece is None:
                    return None
                pieces.append(piece)
                unpacked += len(block)
                if unpacked > most:
                    raise archives.too_large(path, "unpacks to" if packed else "holds", most)
                progress(file.tell() / max(total, 1), 3, f"reading {path.name}")
        except (OSError, EOFError, zlib.error):  # damaged: the careful way says how
            return None
    return pl.concat(pieces).rechunk() if pieces else None


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Give whole lines, some 64 MB at a time."""
    rest = b""
    while read := file.read(_PIECE):
        lines, end, rest = (rest + read).rpartition(b"\n")
        if end:
            yield lines + end
    if rest:
        yield rest + b"\n"


def _parsed(block: bytes) -> pl.DataFrame | None:
    if b'"' in block:
        return None
    try:
        found = pl.read_csv(io.BytesIO(block), has_header=False, schema=_SCHEMA, quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    found = found.with_columns(pl.col(TIMESTAMP).str.to_datetime(_ISO, time_unit="us", strict=False, time_zone="UTC"))
    if sum(found.null_count().row(0)) or not _exact(found, len(block)):
        return None
    return found.select(CLICK_COLUMNS)


def _exact(found: pl.DataFrame, count: int) -> bool:
    """Tell whether the rows, written as they were read, take as many bytes as the text: nothing was passed over."""
    first, last = found[TIMESTAMP].min(), found[TIMESTAMP].max()
    names = found[CATEGORY].unique()
    if (
        not (_BETWEEN[0] <= first and last < _BETWEEN[1])  # type: ignore[operator]
        or int(cast(int, found.select(pl.min_horizontal(pl.min(SESSION_ID), pl.min(ITEM_ID))).item())) < 0
        or names.is_in(NULLS).any()
        or names.str.ends_with(".0").any()
        or (names != names.str.strip_chars()).any()
    ):
        return False
    digits = sum(_digits(found[column]) for column in (SESSION_ID, ITEM_ID))
    text = found.height * len("2014-04-07T10:51:09.277Z") + int(found[CATEGORY].str.len_bytes().sum())
    return digits + text + _SEPARATORS * found.height == count


def _digits(values: pl.Series) -> int:
    return int((np.searchsorted(_POWERS, values.to_numpy(), side="right") + 1).sum())
