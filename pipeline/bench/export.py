"""A run as a file that other tools read."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.bench import runs
from pipeline.store.outputs import written
from pipeline.store.workspace import Workspace, write_json

WRITERS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    ".csv": lambda table, path: table.write_csv(path),
    ".parquet": lambda table, path: table.write_parquet(path),
}
SUFFIXES = (*WRITERS, ".json")


def export(workspace: Workspace, name: str, target: Path) -> dict[str, Any]:
    """Write a run's points as .csv, .parquet or, with all that is known of the run, .json; by the file's suffix."""
    run, table = runs.find_run(workspace, name), runs.load_points(workspace, name)
    with written(target) as path:
        if target.suffix == ".json":
            write_json(path, asdict(run) | {"rows": table.to_dicts()})
        else:
            WRITERS[target.suffix](table, path)
    return {"run": name, "file": str(target), "rows": table.height}
