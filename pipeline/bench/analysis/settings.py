"""From points to settings: the repeats of one setting become a median with its spread, and a label that people read."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import polars.selectors as cs

from pipeline.bench import runs
from pipeline.bench.load.messages import TIME_SLICES
from pipeline.bench.published import NAME as PUBLISHED
from pipeline.bench.published import points as published_points
from pipeline.core.errors import UserError
from pipeline.core.spread import Spread, kept, told_apart
from pipeline.core.text import did_you_mean, named, per_request
from pipeline.search.params import Values
from pipeline.store.workspace import Workspace

RUN, CORES, STALE = "run", "cores", "stale"
BOTH = "both"
LOAD = ("scenario", "nq", "concurrency", "top_k", "client", "loop", "rate")
"""How a server was asked: figures under different loads are not compared."""
SETTING = (RUN, CORES, *LOAD, "server", "device", "index", "metric", "build", "search")
SPREAD = ("qps", "p50_ms", "p95_ms", "p99_ms")
"""Figures that have a low and a high over the repeats, or over the slices of one run."""
SPREAD_OF = "spread_of"
"""Of how many repeats or slices these are; 1 where it is not known how far the figures vary."""
_VARIES = (*SPREAD, "usd_month", "usd_million")  # what follows from QPS varies as they do
_MEMORY = ("memory_mb", "disk_mb", "server_memory_mb", "server_growth_mb")
_ONCE = ("client_cpu", "server_cpu", "build_s", "load_s", *_MEMORY, "seconds")


def gather(workspace: Workspace, names: Sequence[str]) -> pl.DataFrame:
    """Read the points of runs into one table, with `run` and `cores` as columns; 'published' is a run, too.

    Runs have `stale` as well: whether the vectors that they measured have been replaced since.
    """
    return pl.concat([_points(workspace, name) for name in names], how="diagonal")


def _points(workspace: Workspace, name: str) -> pl.DataFrame:
    if name == PUBLISHED:
        return published_points()
    run = runs.find_run(workspace, name)
    return runs.load_points(workspace, name).with_columns(
        pl.lit(name).alias(RUN),
        pl.lit(run.hardware.get("cores"), dtype=pl.Float64).alias(CORES),
        pl.lit(runs.is_run_stale(workspace, run)).alias(STALE),
    )


def newest(workspace: Workspace) -> str:
    """Name the newest run that has points, the published figures where there is none."""
    return next((run.name for run in runs.list_runs(workspace) if run.points), PUBLISHED)


def summarise(points: pl.DataFrame) -> pl.DataFrame:
    """Make one row of each setting: medians over its repeats, `X_low` and `X_high` of what varies, and `repeats`.

    Points that failed count for nothing. An interval is the widest of the repeats'; of one run it is that of its
    slices, and the figure alone where these are not known: `spread_of` says of how many figures it is.
    """
    stale = pl.col(STALE).fill_null(False) if STALE in points.columns else pl.lit(False)
    numbers = [pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in points.select(cs.float()).columns]
    points = points.with_columns(stale.alias(STALE), *numbers)  # what is no number is not known
    good = points.filter(pl.col("error").is_null() & pl.col("qps").is_not_null() & pl.col("recall").is_not_null())
    return good.group_by(SETTING, maintain_order=True).agg(
        pl.len().alias("repeats"),
        pl.col("recall").median(),
        pl.min_horizontal("recall", "recall_low").min().alias("recall_low"),
        pl.max_horizontal("recall", "recall_high").max().alias("recall_high"),
        *[pl.col(name).median() for name in (*SPREAD, *_ONCE)],
        *[pl.min_horizontal(name, f"{name}_low").min().alias(f"{name}_low") for name in SPREAD],
        *[pl.max_horizontal(name, f"{name}_high").max().alias(f"{name}_high") for name in SPREAD],
        pl.when((pl.len() == 1) & pl.col("qps_low").is_not_null().all())
        .then(TIME_SLICES)
        .otherwise(pl.len())
        .alias(SPREAD_OF),
        pl.col(STALE).any(),
        pl.col("client_bound").any(ignore_nulls=False),
        pl.col("at").max(),
    )


def spread(row: Mapping[str, Any], column: str) -> Spread:
    """Give a figure of a setting with its interval; recall's is of the queries, and an estimate is known."""
    found = kept(row[column], row.get(f"{column}_low", row[column]), row.get(f"{column}_high", row[column]))
    return replace(found, count=int(row[SPREAD_OF])) if column in _VARIES else found


def rival(rows: Sequence[dict[str, Any]], column: str, shown: Callable[[float], str]) -> dict[str, Any] | None:
    """Give the first of the rows whose figure is not told apart from that of the first row, the best; None: it is.

    `shown` writes a figure: two that read alike are not told apart. The same setting elsewhere is no rival of itself.
    """
    best, *others = rows
    apart = (
        label(row) == label(best) or told_apart(spread(best, column), [spread(row, column)], shown) for row in others
    )
    return next((row for row, told in zip(others, apart, strict=True) if not told), None)


def fresh(settings: pl.DataFrame) -> pl.DataFrame:
    """Keep what was measured over vectors that are there still: the others are shown, and never chosen."""
    return settings.filter(~pl.col(STALE))


def params(row: dict[str, Any]) -> dict[str, Any]:
    """Give build and search parameters of a row as one mapping."""
    return json.loads(row["build"]) | json.loads(row["search"])


def label(row: dict[str, Any]) -> str:
    """Write a setting as people do: 'HNSW M 16, efConstruction 200, ef 120'."""
    return f"{row['index']} {named(params(row))}".strip()


def marked(row: dict[str, Any]) -> str:
    """Write a setting as `label` does, with a mark where it is out of date."""
    return f"{label(row)} (out of date)" if row[STALE] else label(row)


def load_label(row: dict[str, Any]) -> str:
    """Write how the server was asked: 'item-item, 1 query per request, 10 clients, top-k 100'."""
    clients = f"{row['concurrency']} client{'s' if row['concurrency'] != 1 else ''}"
    offered = f", {row['rate']:g} requests/s offered" if row["rate"] is not None else ""
    through = ", through pymilvus" if row["client"] == "pymilvus" else ""
    return f"{row['scenario']}, {per_request(row['nq'])}, {clients}, top-k {row['top_k']}{offered}{through}"


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
