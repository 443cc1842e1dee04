"""Fill the online store: straight into SQLite's tables as Feast lays them out, or through Feast into any other store.

Feast's own `materialize` makes an object of every value and asks SQLite twice for each; here a column becomes bytes at
once, and rows go in by the thousand (tests/benchmarks/features.py measures both). Entities go in group after group, so
that memory is bounded whatever their number is; a fill that was cut off goes on with the group it was at.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.checks import one_of
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.progress import part as part_of
from pipeline.serving.features.online import through_feast
from pipeline.serving.features.repository import (
    VIEWS,
    View,
    filled,
    keep_filled,
    online_type,
    open_store,
    without_secrets,
)
from pipeline.serving.features.sqlite import database, entity_keys, table_name, value_bytes
from pipeline.serving.features.stage import ITEMS, SESSIONS, STAGE
from pipeline.serving.features.tables import EVENT_TIME
from pipeline.store.locks import locked
from pipeline.store.workspace import Workspace, disk_trouble

PARTS = {"test": ("test",), "all": ("train", "test"), "none": ()}
_CHUNK = 20_000  # entities that are put in as one transaction
_HELD = 500_000  # rows of a table that are held at once, about
_GROUPS = 256  # at most: as many as the lowest byte of a key has values
Put = Callable[[pl.DataFrame], None]


def fill(workspace: Workspace, folder: Path, sessions: str = "test", progress: Progress = silent) -> dict[str, Any]:
    """Put items, and the newest features of test, all or no sessions, online; give {view: {rows, seconds}}."""
    one_of(sessions, PARTS, "sessions")
    stage = workspace.stage(STAGE)
    tables = [("items", "", pl.scan_parquet(stage / ITEMS))]
    tables += [("sessions", part, pl.scan_parquet(stage / SESSIONS / f"{part}.parquet")) for part in PARTS[sessions]]
    with locked(folder / "fill.lock"):
        for number, (name, part, rows) in enumerate(tables):
            _fill(folder, VIEWS[name], f"{part} {name}".strip(), rows, part_of(progress, number, len(tables)))
    return filled(folder)


def _newest(rows: pl.LazyFrame, of: View, low: int, high: int) -> pl.DataFrame:
    """Keep the newest row of each key whose lowest byte is of [low, high), ordered as SQLite orders the keys.

    A key is written with its lowest byte first, so groups by that byte follow each other in the store, too: rows are
    appended. Keys are numbered or hashed, so that groups are alike in size.
    """
    some = rows.filter((pl.col(of.key) & 255).is_between(low, high - 1))
    ordered = some.sort(of.key, EVENT_TIME, maintain_order=True)
    newest = ordered.unique(of.key, keep="last", maintain_order=True).collect(engine="streaming")
    keys = newest[of.key].to_numpy()
    return newest[np.argsort(keys.astype("<i8").view("<u8").byteswap(), kind="stable")]


def _fill(folder: Path, of: View, label: str, rows: pl.LazyFrame, progress: Progress) -> None:
    state = filled(folder)
    height = int(rows.select(pl.len()).collect().item())
    groups = min(max(1, math.ceil(height / _HELD)), _GROUPS)
    fresh = {"rows": 0, "group": 0, "groups": groups, "seconds": 0.0, "done": False}
    found = state.get(label, fresh)
    if found["done"] and _still_there(folder, of, rows):
        progress(1, 1, f"{label}: unchanged")
        return
    found = fresh if found["done"] or found.get("groups") != groups else found
    started, before = time.monotonic(), float(found["seconds"])
    bounds = np.linspace(0, _GROUPS, groups + 1).astype(int)
    with _writer(folder, of) as put:
        for group in range(int(found["group"]), groups):
            progress(group, groups, f"{label}: {found['rows']:,} put in, group {group + 1} of {groups}")
            table = _newest(rows, of, int(bounds[group]), int(bounds[group + 1]))
            for low in range(0, table.height, _CHUNK):
                put(table[low : low + _CHUNK])
                progress(group + low / table.height, groups, f"{label}: {found['rows'] + low:,} put in")
            took = round(before + time.monotonic() - started, 3)
            found = found | {"rows": found["rows"] + table.height, "group": group + 1, "seconds": took}
            state[label] = found
            keep_filled(folder, state)
    state[label] = found | {"done": True}
    keep_filled(folder, state)


def _still_there(folder: Path, of: View, rows: pl.LazyFrame) -> bool:
    """Tell whether a store that may be emptied without our knowing still holds a few of the keys that went in."""
    if online_type(folder) == "sqlite":
        return True  # a file that was replaced is not told as filled
    keys = rows.select(of.key).head(20).collect()[of.key].unique().to_numpy()
    found = through_feast(folder, open_store(folder), of, keys)
    return not all(np.isnan(values).all() for values in found.values())


def _writer(folder: Path, of: View) -> AbstractContextManager[Put]:
    return _sqlite(folder, of) if online_type(folder) == "sqlite" else _through_feast(folder, of)


@contextmanager
def _sqlite(folder: Path, of: View) -> Iterator[Put]:
    """Write chunks, each as one transaction; Feast's second index on the same key waits until all are in."""
    name = table_name(folder, of.name)
    statement = f'INSERT OR REPLACE INTO "{name}" (entity_key, feature_name, value, event_ts) VALUES (?, ?, ?, ?)'

    def put(chunk: pl.DataFrame) -> None:
        connection.execute("BEGIN")
        connection.executemany(statement, _rows(chunk, of))
        connection.execute("COMMIT")

    try:
        with closing(sqlite3.connect(database(folder), isolation_level=None)) as connection:
            connection.execute(f'DROP INDEX IF EXISTS "{name}_ek"')
            yield put
            connection.execute(f'CREATE INDEX IF NOT EXISTS "{name}_ek" ON "{name}" (entity_key)')
    except sqlite3.Error as error:
        why = disk_trouble(error) or str(error)
        raise UserError(
            f"The online store {database(folder)} could not be written ({why}): free the disk, or run `features apply`."
        ) from error


def _rows(chunk: pl.DataFrame, of: View) -> Iterator[tuple[bytes, str, bytes, str]]:
    keys = entity_keys(of.key, chunk[of.key].to_numpy())
    written = chunk[EVENT_TIME].dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
    times = written.str.strip_suffix(".000000").to_list()  # as Python's sqlite3 writes a moment
    values = [value_bytes(chunk[name].to_numpy()) for name in of.features]
    return chain.from_iterable(
        zip(repeat(key), of.features, row, repeat(moment), strict=False)
        for key, moment, *row in zip(keys, times, *values, strict=True)
    )


@contextmanager
def _through_feast(folder: Path, of: View) -> Iterator[Put]:
    """Have Feast write chunks."""
    store = open_store(folder)

    def put(chunk: pl.DataFrame) -> None:
        try:
            store.write_to_online_store(of.name, chunk.to_pandas())
        except Exception as error:  # each store of Feast's has errors of its own
            told = without_secrets(folder, error)
            raise UserError(f"The online store could not be written ({told}): see that it runs.") from None

    yield put
