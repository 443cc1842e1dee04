"""What `--clicks` names: a data set with a name, made-up clicks, or a file of one's own."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from pipeline.clicks import datasets, eshop
from pipeline.clicks.bad_rows import SCHEMA
from pipeline.clicks.canonical import Canonical, RawClicks, canonical, from_rows, in_order, item_table
from pipeline.clicks.files import reader, yoochoose
from pipeline.clicks.made_up import shop, synthetic
from pipeline.clicks.metadata import usable_metadata
from pipeline.clicks.visits import cut_sessions, gap_of
from pipeline.core.columns import LATER, SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import did_you_mean

_MADE = b"made up, 1"  # to be raised when other clicks are made up
ReadSource = tuple[pl.DataFrame, pl.DataFrame | None, list[str]]  # raw clicks, item metadata, sentences for the user


@dataclass(frozen=True)
class ClickSource:
    """Clicks as the command line names them."""

    clicks: str
    """A path, a data set that `data list` names, or 'synthetic:SESSIONS' (and ':SEED')."""
    columns: str | None = None
    """'session=…,time=…,item=…[,category=…][,date=…]': names of a header, or positions from 1 where there is none;
    'user=…' in place of the session where the log has only those."""
    items: str | None = None
    """A file of item metadata, joined by item id."""
    bad_rows: int = 0
    """How many rows of a file may be left out since they cannot be read."""
    time_format: str | None = None
    """'day-first', 'month-first', or a pattern such as '%d.%m.%Y %H:%M', for times that do not read themselves."""
    session_gap: float | None = field(default=None, repr=False, metadata=LATER)
    """Minutes without a click after which a session ends; None: 30 where the log has users, else sessions stay."""


@dataclass(frozen=True)
class Clicks:
    """Canonical clicks (session_id, timestamp, item_id, category), their items, and sentences for the user."""

    clicks: pl.DataFrame
    items: pl.DataFrame
    notes: list[str]
    left_out: pl.DataFrame
    """Rows that could not be read (number, rows, why)."""


def _path(text: str) -> Path:
    if (data := datasets.find_data_set(text)) is not None:
        return datasets.needed(data)
    path = Path(text).expanduser()
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file with the clicks in it.")
    if not path.exists():
        names = [d.name for d in datasets.known_data_sets()]
        close = did_you_mean(text, names) or f" The data sets with a name are {', '.join(names)}."
        raise UserError(f"There is no file {path}, and no data set of that name.{close}")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes): use a file with at least two sessions.")
    return path


def source_digest(source: ClickSource) -> str:
    """Hash all that decides the result; raise UserError where the source is missing."""
    found = hashlib.sha256(repr(source).encode())
    if source.session_gap is not None:
        found.update(f"{source.session_gap:g} min".encode())
    if shop.is_shop(source.clicks) or source.clicks.startswith(synthetic.PREFIX):
        found.update(_MADE)
    else:
        _feed(found, _path(source.clicks))
    if source.items:
        _feed(found, _path(source.items))
    return found.hexdigest()


def _feed(found: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)


def read_source(source: ClickSource, progress: Progress = silent) -> Clicks:
    """Read a source; raise UserError, in one sentence, for whatever cannot be read."""
    progress(0, 3, f"reading {source.clicks}")
    found, metadata = _canonical(source, progress)
    sessions = found.clicks[SESSION_ID].n_unique()
    if sessions < 2:
        raise UserError(f"{source.clicks} holds {sessions} session: to learn and to test takes at least 2.")
    progress(2, 3, "counting items")
    renamed: list[str] = []
    if source.items:
        metadata, renamed = usable_metadata(reader.read_items(_path(source.items), source.bad_rows))
    items, joined = item_table(found.clicks, metadata)
    return Clicks(found.clicks, items, found.notes + renamed + joined, found.left_out)


def read_log(source: ClickSource) -> tuple[pl.DataFrame, list[str]]:
    """Read canonical clicks and sentences for the user, however few they are; raise UserError as `read_source` does."""
    found = _canonical(source)[0]
    return found.clicks, found.notes


def _canonical(source: ClickSource, progress: Progress = silent) -> tuple[Canonical, pl.DataFrame | None]:
    """Give the clicks in order, and the metadata that comes with them."""
    if (quick := _quickly(source, progress)) is not None:
        progress(1, 3, f"sorting {quick.height:,} clicks")
        nothing = pl.DataFrame(schema=SCHEMA)
        return Canonical(in_order(quick), nothing, [yoochoose.NOTE]), None
    raw, metadata = _raw(source)
    gap = gap_of(source.session_gap, raw.users)
    progress(1, 3, f"sorting {raw.frame.height:,} clicks")
    found = canonical(raw, source.bad_rows)
    del raw  # the file and its text take more memory than the clicks, and sorting takes theirs twice
    if found.clicks.is_empty():
        raise UserError(f"{source.clicks} holds no click: use a file with at least two sessions.")
    ordered = in_order(found.clicks)
    if gap is None:
        return replace(found, clicks=ordered), metadata
    cut, note = cut_sessions(ordered, gap)
    return replace(found, clicks=in_order(cut), notes=[*found.notes, note]), metadata


def _quickly(source: ClickSource, progress: Progress) -> pl.DataFrame | None:
    """Read what is written exactly as YOOCHOOSE does, a piece at a time; None for everything else."""
    made = shop.is_shop(source.clicks) or source.clicks.startswith(synthetic.PREFIX)
    if made or (source.columns, source.time_format, source.session_gap) != (None, None, None) or source.bad_rows < 0:
        return None
    return yoochoose.read(_path(source.clicks), progress)


def _raw(source: ClickSource) -> tuple[RawClicks, pl.DataFrame | None]:
    if source.bad_rows < 0:
        raise UserError(f"--bad-rows {source.bad_rows} is no count: choose 0 or more.")
    if shop.is_shop(source.clicks):
        return _known(source, shop.read(source.clicks))
    if source.clicks.startswith(synthetic.PREFIX):
        return _known(source, synthetic.read(source.clicks))
    path = _path(source.clicks)
    content = reader.content(path)
    if eshop.is_eshop(content):
        return _known(source, eshop.read(path, content))
    return reader.read_clicks(path, content, source.columns, source.time_format), None


def _known(source: ClickSource, found: ReadSource) -> tuple[RawClicks, pl.DataFrame | None]:
    frame, metadata, notes = found
    return from_rows(source.clicks, frame, notes), metadata
