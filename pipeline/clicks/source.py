"""What `--clicks` names: a data set with a name, made-up clicks, or a file of one's own."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.clicks import datasets, eshop, shop, synthetic, tables
from pipeline.clicks.canonical import canonical, item_table
from pipeline.errors import UserError
from pipeline.names import SESSION_ID
from pipeline.progress import Progress, silent
from pipeline.text import did_you_mean


@dataclass(frozen=True)
class ClickSource:
    """Clicks as the command line names them."""

    clicks: str
    """A path, a data set that `data list` names, or 'synthetic:SESSIONS' (and ':SEED')."""
    columns: str | None = None
    """'session=…,time=…,item=…[,category=…]' for a file with a header of its own."""
    items: str | None = None
    """A file of item metadata, joined by item id."""


@dataclass(frozen=True)
class Clicks:
    """Canonical clicks (session_id, timestamp, item_id, category), their items, and sentences for the user."""

    clicks: pl.DataFrame
    items: pl.DataFrame
    notes: list[str]


def _path(text: str) -> Path:
    if (data := datasets.find(text)) is not None:
        return datasets.needed(data)
    path = Path(text).expanduser()
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file with the clicks in it.")
    if not path.exists():
        names = [d.name for d in datasets.known()]
        close = did_you_mean(text, names) or f" The data sets with a name are {', '.join(names)}."
        raise UserError(f"There is no file {path}, and no data set of that name.{close}")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes): bring a file with at least two sessions.")
    return path


def digest(source: ClickSource) -> str:
    """Hash all that decides the result; raise UserError where the source is missing."""
    found = hashlib.sha256(repr(source).encode())
    if not (shop.is_shop(source.clicks) or source.clicks.startswith(synthetic.PREFIX)):
        _feed(found, _path(source.clicks))
    if source.items:
        _feed(found, _path(source.items))
    return found.hexdigest()


def _feed(found: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)


def read(source: ClickSource, progress: Progress = silent) -> Clicks:
    """Read a source; raise UserError, in one sentence, for whatever cannot be read."""
    progress(0, 3, f"reading {source.clicks}")
    raw, metadata, notes = _raw(source)
    progress(1, 3, f"sorting {raw.height:,} clicks")
    clicks, more = canonical(raw)
    sessions = clicks[SESSION_ID].n_unique()
    if sessions < 2:
        raise UserError(f"{source.clicks} holds {sessions} session: to learn and to test takes at least 2.")
    progress(2, 3, "counting items")
    if source.items:
        metadata = tables.read_items(_path(source.items))
    items, joined = item_table(clicks, metadata)
    return Clicks(clicks, items, notes + more + joined)


def read_log(source: ClickSource) -> tuple[pl.DataFrame, list[str]]:
    """Read canonical clicks and sentences for the user, however few they are; raise UserError as `read` does."""
    raw, _, notes = _raw(source)
    clicks, more = canonical(raw)
    return clicks, notes + more


def _raw(source: ClickSource) -> tuple[pl.DataFrame, pl.DataFrame | None, list[str]]:
    found = _table(source)
    if found[0].is_empty():
        raise UserError(f"{source.clicks} holds no click: bring a file with at least two sessions.")
    return found


def _table(source: ClickSource) -> tuple[pl.DataFrame, pl.DataFrame | None, list[str]]:
    if shop.is_shop(source.clicks):
        return shop.read(source.clicks)
    if source.clicks.startswith(synthetic.PREFIX):
        return synthetic.read(source.clicks)
    path = _path(source.clicks)
    content = tables.content(path)
    if eshop.is_eshop(content):
        return eshop.read(path, content)
    frame, notes = tables.read_clicks(path, content, source.columns)
    return frame, None, notes
