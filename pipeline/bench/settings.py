"""From points to settings: the repeats of one setting become a median with its spread, and a label that people read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pipeline.bench import runs
from pipeline.errors import UserError
from pipeline.published import NAME as PUBLISHED
from pipeline.published import points as published_points
from pipeline.text import did_you_mean
from pipeline.vectors.params import Values
from pipeline.workspace import Workspace

RUN, CORES = "run", "cores"
BOTH = "both"
LOAD = ("scenario", "nq", "concurrency", "top_k", "client", "loop", "rate")
"""How a server was asked: figures under different loads are not compared."""
SETTING = (RUN, CORES, *LOAD, "server", "device", "index", "metric", "build", "search")
SPREAD = ("qps", "p50_ms", "p95_ms", "p99_ms")
"""Figures that have a low and a high over the repeats."""
_MEMORY = ("memory_mb", "disk_mb", "server_memory_mb", "server_growth_mb")
_ONCE = ("client_cpu", "server_cpu", "build_s", "load_s", *_MEMORY, "seconds")


def gather(workspace: Workspace, names: Sequence[str]) -> pl.DataFrame:
    """Read the points of runs into one table, with the columns `run` and `cores`; 'published' is a run as well."""
    return pl.concat([_points(workspace, name) for name in names])


def _points(workspace: Workspace, name: str) -> pl.DataFrame:
    if name == PUBLISHED:
        return published_points()
    cores = runs.find(workspace, name).hardware.get("cores")
    return runs.load(workspace, name).with_columns(
        pl.lit(name).alias(RUN), pl.lit(cores, dtype=pl.Float64).alias(CORES)
    )


def newest(workspace: Workspace) -> str:
    """Name the newest run that has points, the published figures where there is none."""
    return next((run.name for run in runs.list_runs(workspace) if run.points), PUBLISHED)


def summarise(points: pl.DataFrame) -> pl.DataFrame:
    """Make one row of each setting: medians over its repeats, `X_low` and `X_high` of what varies, and `repeats`.

    Points that failed count for nothing. Recall's interval is the widest of the repeats'.
    """
    good = points.filter(pl.col("error").is_null() & pl.col("qps").is_not_null() & pl.col("recall").is_not_null())
    return good.group_by(SETTING, maintain_order=True).agg(
        pl.len().alias("repeats"),
        pl.col("recall").median(),
        pl.min_horizontal("recall", "recall_low").min().alias("recall_low"),
        pl.max_horizontal("recall", "recall_high").max().alias("recall_high"),
        *[pl.col(name).median() for name in (*SPREAD, *_ONCE)],
        *[pl.col(name).min().alias(f"{name}_low") for name in SPREAD],
        *[pl.col(name).max().alias(f"{name}_high") for name in SPREAD],
        pl.col("client_bound").any(ignore_nulls=False),
        pl.col("at").max(),
    )


def differ(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether two figures may be called different: their spreads (low, high) do not overlap."""
    return one[0] > other[1] or other[0] > one[1]


def params(row: dict[str, Any]) -> dict[str, Any]:
    """Give build and search parameters of a row as one mapping."""
    return json.loads(row["build"]) | json.loads(row["search"])


def label(row: dict[str, Any]) -> str:
    """Write a setting as people do: 'HNSW M 16, efConstruction 200, ef 120'."""
    chosen = ", ".join(f"{name} {value}" for name, value in params(row).items())
    return f"{row['index']} {chosen}".strip()


def load_label(row: dict[str, Any]) -> str:
    """Write how the server was asked: 'item-item, nq 1, 10 clients, top-k 100'."""
    clients = f"{row['concurrency']} client{'s' if row['concurrency'] != 1 else ''}"
    offered = f", {row['rate']:g} requests/s offered" if row["rate"] is not None else ""
    through = ", through pymilvus" if row["client"] == "pymilvus" else ""
    return f"{row['scenario']}, nq {row['nq']:,}, {clients}, top-k {row['top_k']}{offered}{through}"


def under(settings: pl.DataFrame, given: Mapping[str, Any]) -> pl.DataFrame:
    """Keep the settings that were asked alike: with the load that is `given`, else the usual one of those there.

    Usual is the scenario and the top-k of most settings, the raw client, a closed loop, and the smallest nq. Every
    concurrency is kept where none is given, and every client where that is 'both'. UserError where nothing was asked
    like that.
    """
    for name in ("scenario", "client", "loop", "top_k", "nq", "concurrency"):
        if given.get(name) == BOTH:
            continue
        there = settings[name].value_counts().sort(["count", name], descending=[True, False])[name].to_list()
        value = given[name] if given.get(name) is not None else _usual(name, there)
        if value is not None:
            settings = settings.filter(pl.col(name) == value)
        if settings.is_empty() and there:
            known = ", ".join(str(v) for v in sorted(there))
            raise UserError(f"No point was measured with {name} {value}: choose {known}.")
    return settings


def _usual(name: str, there: list[Any]) -> Any:
    """Choose of what is there, most frequent first."""
    if name == "concurrency" or not there:
        return None
    wanted = {"client": "raw", "loop": "closed", "nq": min(there)}.get(name)
    return wanted if wanted in there else there[0]


def where(table: pl.DataFrame, chosen: Values) -> pl.DataFrame:
    """Keep the rows that agree with `chosen`: columns such as device, parameters such as nbits; UserError on others."""
    for name, value in chosen.items():
        table = table.filter(_agrees(table, name, value))
    return table


def _agrees(table: pl.DataFrame, name: str, value: Any) -> pl.Series:
    if name in SETTING:
        return (table[name].cast(pl.String).str.to_lowercase() == str(value).lower()).fill_null(False)
    found = [params(row).get(name) for row in table.select("build", "search").iter_rows(named=True)]
    if table.height and all(value is None for value in found):
        known = sorted({*SETTING, *(key for row in table.iter_rows(named=True) for key in params(row))})
        raise UserError(f"No point has '{name}': choose by {', '.join(known)}.{did_you_mean(name, known)}")
    return pl.Series([v == value for v in found], dtype=pl.Boolean)
