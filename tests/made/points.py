"""Points made up for tests of what is read from them."""

from typing import Any

import polars as pl

from pipeline.bench.runs import COLUMNS, packed

_USUAL: dict[str, Any] = {
    "scenario": "item-item", "server": "embedded", "device": "cpu", "index": "HNSW", "metric": "IP", "nq": 1,
    "concurrency": 4, "top_k": 100, "client": "raw", "loop": "closed", "repeat": 0, "client_bound": False,
    "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "build_s": 10.0, "load_s": 1.0, "memory_mb": 500.0, "seconds": 5.0,
    "server_memory_mb": 900.0, "server_growth_mb": 610.0, "client_cpu": 1.0, "server_cpu": 8.0,
    "at": "2026-01-31T12:00:00+00:00",
}  # fmt: skip


def point(
    recall: float | None, qps: float | None, build: Any = None, search: Any = None, **other: Any
) -> dict[str, Any]:
    """Make one point as a run would add it, HNSW on two cores where nothing else is said.

    `sliced=False`: as runs did that kept no slices of the time.
    """
    sliced = other.pop("sliced", True)
    chosen = {"build": packed(build or {"M": 16}), "search": packed(search or {"ef": 100})}
    figures = {"recall": recall, "recall_low": recall, "recall_high": recall, "qps": qps}
    made = dict.fromkeys(COLUMNS) | _USUAL | chosen | figures | other
    return made | {n: made[n] if n in other else end for n, end in (ends(made) if sliced else {}).items()}


def ends(made: dict[str, Any], off: float = 0.0) -> dict[str, float]:
    """Give the intervals of a point's figures as slices of its time tell them: so much to either side, none in calm."""
    names = [name for name in ("qps", "p50_ms", "p95_ms", "p99_ms") if made[name] is not None]
    sides = {"low": 1 - off, "high": 1 + off}
    return {f"{name}_{end}": made[name] * times for name in names for end, times in sides.items()}


def points(*rows: dict[str, Any], run: str = "made", cores: float | None = 2.0) -> pl.DataFrame:
    """Make the table that `gather` gives of one run."""
    table = pl.DataFrame(list(rows), schema=COLUMNS)
    return table.with_columns(pl.lit(run).alias("run"), pl.lit(cores, dtype=pl.Float64).alias("cores"))
