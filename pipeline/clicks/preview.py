"""A look into a file of clicks before anything runs: its columns, which are taken, its first rows and its bad ones."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from pipeline.clicks import columns as roles
from pipeline.clicks.canonical import canonical, in_order
from pipeline.clicks.files import archives, reader
from pipeline.clicks.files import text as text_files
from pipeline.core.errors import UserError

WHOLE_BYTES = 8_000_000  # a file that is not larger is read as a whole
HEAD_BYTES = 16_000_000  # of the text of a larger one
_ROWS = 100_000  # of a large Parquet file
_SHOWN = 8  # rows


@dataclass(frozen=True, eq=False)
class Preview:
    """What a file's beginning says."""

    columns: dict[str, str]
    """The names of its columns, positions from 1 where it has no header, and what the first row has there."""
    taken: dict[str, str] = field(default_factory=dict)
    """The column of each role: session or user, time, item, category, date; empty where it is not clear."""
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    """Its first rows, under the names of the roles."""
    clicks: pl.DataFrame | None = None
    """Canonical clicks; None where they cannot be read."""
    bad: pl.DataFrame = field(default_factory=pl.DataFrame)
    """Rows that cannot be read: number, rows, why."""
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    """Why it cannot be read, '' where it can."""
    whole: bool = True
    """Whether all of the file was looked at."""


def preview(path: Path, asked: str | None = None, time_format: str | None = None) -> Preview:
    """Look into a file; raise UserError only where not even its columns can be found."""
    with tempfile.TemporaryDirectory() as folder:
        head = _head(path, Path(folder))
        try:
            found = _look(head, head == path, asked, time_format)
        except UserError as error:
            raise UserError(str(error).replace(str(head), str(path))) from error
    named = [note.replace(str(head), str(path)) for note in found.notes]
    return replace(found, problem=found.problem.replace(str(head), str(path)), notes=named)


def _look(path: Path, whole: bool, asked: str | None, time_format: str | None) -> Preview:
    raw = reader.content(path)
    names = reader.columns_of(path, raw)
    try:
        found = reader.read_clicks(path, raw, asked, time_format)
    except UserError as error:
        return Preview(names, problem=str(error), whole=whole)
    short = {role: name for name, role in roles.SHORT.items()}
    called = {
        role: roles.USER if found.users and role == roles.SHORT["session"] else short[role] for role in found.columns
    }
    taken = {called[role]: name for role, name in found.columns.items()}
    rows = found.frame.head(_SHOWN).rename(called)
    some = found.frame.height + len(found.broken)
    try:
        read = canonical(found, bad_rows=some)
    except UserError as error:
        return Preview(names, taken, rows, notes=found.notes, problem=str(error), whole=whole)
    clicks = in_order(read.clicks) if read.clicks.height else None
    problem = f"No row of {found.name} can be read as a click." if clicks is None else ""
    return Preview(names, taken, rows, clicks, read.left_out, found.notes, problem, whole)


def _head(path: Path, folder: Path) -> Path:
    """Give the file itself where it is small, else one with its beginning, unpacked, of the same name."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    if path.stat().st_size <= WHOLE_BYTES:
        return path
    target = folder / path.name
    text = archives.beginning(path, HEAD_BYTES)
    if not text.startswith(archives.PARQUET):
        target.write_bytes(text_files.whole_lines(text))
        return target
    try:
        pl.scan_parquet(path).head(_ROWS).collect().write_parquet(target)
    except pl.exceptions.PolarsError:  # it is packed once more, which is read as a whole
        return path
    return target
