"""A run as a file that other tools read."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.bench import runs
from pipeline.errors import UserError
from pipeline.workspace import Workspace, write_json

WRITERS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    ".csv": lambda table, path: table.write_csv(path),
    ".parquet": lambda table, path: table.write_parquet(path),
}


def export(workspace: Workspace, name: str, target: Path) -> dict[str, Any]:
    """Write a run's points as .csv, .parquet or, with all that is known of the run, .json; by the file's suffix."""
    run, table = runs.find(workspace, name), runs.load(workspace, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".json":
        write_json(target, asdict(run) | {"rows": table.to_dicts()})
    elif target.suffix in WRITERS:
        WRITERS[target.suffix](table, target)
    else:
        raise UserError(f"'{target.name}' says no form: end it with .csv, .parquet or .json.")
    return {"run": name, "file": str(target), "rows": table.height}
