"""Print how fast features go online, ours and Feast's own on the same views, and what a look-up takes."""

import contextlib
import io
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.serving.features.fill import fill
from pipeline.serving.features.online import OnlineFeatures
from pipeline.serving.features.repository import FILLED, VIEWS, apply, filled, open_store
from pipeline.serving.features.sqlite import database, table_name
from pipeline.serving.features.stage import features
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.preprocess import preprocess
from pipeline.store.workspace import Workspace

CLICKS = "synthetic:40000"


def main() -> None:
    """Measure and print; another source of clicks may be named, such as synthetic:1300000 for a million sessions."""
    source = sys.argv[1] if len(sys.argv) > 1 else CLICKS
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(folder)
        ingest(workspace, ClickSource(source))
        preprocess(workspace, PreprocessConfig())
        computed = features(workspace)
        repository = apply(workspace)
        print(f"{platform.machine()}, {os.cpu_count()} cores, SQLite {sqlite3.sqlite_version}")
        print(f"features of {computed.manifest['metrics']} in {computed.seconds:.1f} s")
        ours = _ours(workspace, repository)
        for view, rows, seconds in ours:
            print(f"{view:<9} {rows:>9,} rows  ours {seconds:6.1f} s, {rows / seconds:>8,.0f} rows/s", flush=True)
        print(f"on disk {database(repository).stat().st_size / 1e6:,.0f} MB")
        if sum(rows for _, rows, _ in ours) <= 200_000:  # Feast's own would take minutes
            _feast(repository, Path(folder) / "feast", ours)
        _look_ups(repository)


def _ours(workspace: Workspace, repository: Path) -> list[tuple[str, int, float]]:
    fill(workspace, repository, "all")
    found: dict[str, tuple[int, float]] = {}
    for label, state in filled(repository).items():
        name = label.split()[-1]
        rows, seconds = found.get(name, (0, 0.0))
        found[name] = rows + state["rows"], seconds + state["seconds"]
    return [(name, *values) for name, values in found.items()]


def _feast(repository: Path, copy: Path, ours: list[tuple[str, int, float]]) -> None:
    shutil.copytree(repository, copy, ignore=shutil.ignore_patterns(FILLED))
    with sqlite3.connect(database(copy)) as connection:
        for name in VIEWS:
            connection.execute(f'DELETE FROM "{table_name(copy, name)}"')
    store = open_store(copy)
    for name, rows, seconds in ours:
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            store.materialize(datetime(2000, 1, 1), datetime(2100, 1, 1), [name])
        took = time.perf_counter() - began
        told = f"{name:<9} {rows:>9,} rows Feast {took:6.1f} s, {rows / took:>8,.0f} rows/s"
        print(f"{told}: ours {took / seconds:.1f} times as fast")


def _look_ups(repository: Path) -> None:
    online, store = OnlineFeatures(repository), open_store(repository)
    refs = [f"items:{name}" for name in VIEWS["items"].features]
    random = np.random.default_rng(0)
    for count in (1, 100, 3200):
        keys = random.integers(3, 5000, count)
        rows = [{"item_idx": int(key)} for key in keys]
        ours = _median(lambda keys=keys: online.items(keys))  # type: ignore[misc]
        feast = _median(lambda rows=rows: store.get_online_features(refs, rows).to_dict(), 10)  # type: ignore[misc]
        print(f"look-up of {count:>5,} items: ours {ours:7.2f} ms, Feast {feast:7.2f} ms")


def _median(call: Callable[[], object], times: int = 50) -> float:
    call()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return float(np.median(took))


if __name__ == "__main__":
    main()
