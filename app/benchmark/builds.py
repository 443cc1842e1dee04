"""The table of a benchmark's builds: what each took, and its memory as it is estimated and as it was measured."""

import json
from typing import Any

import polars as pl

from app.parts import table
from pipeline.core.text import duration, named, number

MEMORY = {
    "memory, estimated": "What the index takes, from its type's layout; costs are calculated from it.",
    "server holds": "Measured: RAM of all the server's processes once the index is loaded, whatever else they hold.",
    "server grew by": "Measured: how much more the server holds than before the vectors came, including what it keeps for its "
    "own work. Unknown where the server runs on another machine.",
}
_COLUMNS = dict(zip(MEMORY, ("memory_mb", "server_memory_mb", "server_growth_mb"), strict=True))
_MOST = 40  # lines


def show(settings: pl.DataFrame) -> None:
    """Draw the builds, the quickest first."""
    builds = settings.drop_nulls("build_s").unique(["run", "index", "build"], keep="first", maintain_order=True)
    rows = builds.sort("build_s").head(_MOST).iter_rows(named=True)
    table.show([_line(row) for row in rows], MEMORY)


def memory(row: dict[str, Any], *names: str) -> dict[str, str]:
    """Give what is known of a setting's memory, by the titles of MEMORY."""
    return {name: f"{number(row[_COLUMNS[name]])} MB" for name in names if row[_COLUMNS[name]] is not None}


def _line(row: dict[str, Any]) -> dict[str, str]:
    line = {"index": f"{row['index']} {named(json.loads(row['build']))}".strip(), "built in": duration(row["build_s"])}
    return line | memory(row, *MEMORY)
