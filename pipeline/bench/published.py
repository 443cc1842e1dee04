"""Figures that others published, shipped to be shown beside what is measured here, and always marked as theirs."""

from functools import lru_cache
from typing import Any

import polars as pl

from pipeline.core.project import ASSETS

PATH = ASSETS / "published" / "yoochoose_milvus_2023.csv"
NAME = "published"
CPU, GPU = "2 × 48-core EPYC 7642, Milvus 2.2.11", "A100 80 GB, Milvus 2.3"
SOURCE = f"published 2023 (bbozkaya/merlin-milvus): CPU {CPU}; GPU {GPU}"
_CORES = 96.0
_BUILD = ("M", "efConstruction", "m", "nbits", "nlist")  # as sorted keys come


@lru_cache(maxsize=1)
def results() -> pl.DataFrame:
    """Read the 270 published configurations: scenario, device, index, parameters, recall at top-k 100, qps, …."""
    whole = [pl.col(name).cast(pl.String).str.strip_chars().cast(pl.Int64, strict=False) for name in _BUILD]
    return pl.read_csv(PATH).with_columns(whole)


def best_qps(at_least: float) -> pl.DataFrame:
    """Give each scenario's and device's most QPS at a recall of at least `at_least`, with its index."""
    good = results().filter(pl.col("recall") >= at_least).sort("qps", descending=True)
    return (
        good.unique(["scenario", "device"], keep="first", maintain_order=True)
        .select("scenario", "device", "index", "recall", "qps")
        .sort("scenario", "device")
    )


@lru_cache(maxsize=1)
def points() -> pl.DataFrame:
    """Give the published configurations as if a run had measured them: the columns of a run, its name and its cores.

    What was not published is null: latencies, CPU time, memory, the cores of the GPU's machine.
    """
    from pipeline.bench.runs import COLUMNS, packed

    build = [packed({n: row[n] for n in _BUILD if row[n] is not None}) for row in results().iter_rows(named=True)]
    search = [packed({name: value}) for name, value in results().select("search_param", "search_value").iter_rows()]
    on_cpu = pl.col("device") == "cpu"
    here: dict[str, Any] = {
        "server": pl.when(on_cpu).then(pl.lit(CPU)).otherwise(pl.lit(GPU)),
        "metric": pl.lit("L2"),
        "build": pl.Series(build),
        "search": pl.Series(search),
        "concurrency": pl.col("processes"),
        "client": pl.lit("pymilvus"),
        "loop": pl.lit("closed"),
        "repeat": pl.lit(0),
        "recall_low": pl.col("recall"),
        "recall_high": pl.col("recall"),
        "client_bound": pl.lit(None),
        "build_s": pl.col("index_s"),
        "at": pl.lit("2023"),
        "note": pl.col("source"),
    }
    cores = pl.when(on_cpu).then(pl.lit(_CORES))
    table = results().with_columns(**here, run=pl.lit(NAME), cores=cores)
    unknown = {name: pl.lit(None) for name in COLUMNS if name not in table.columns}
    return table.with_columns(**unknown).select(*(pl.col(n).cast(kind) for n, kind in COLUMNS.items()), "run", "cores")
