"""Figures that others published, shipped to be shown beside what is measured here, and always marked as theirs."""

from functools import lru_cache
from pathlib import Path

import polars as pl

PATH = Path(__file__).resolve().parent.parent / "assets" / "published" / "yoochoose_milvus_2023.csv"
SOURCE = "published 2023 (bbozkaya/merlin-milvus): CPU 2 × 48-core EPYC 7642, Milvus 2.2.11; GPU A100 80 GB, Milvus 2.3"


@lru_cache(maxsize=1)
def results() -> pl.DataFrame:
    """Read the 270 published configurations: scenario, device, index, parameters, recall at top-k 100, qps, …."""
    return pl.read_csv(PATH)


def best_qps(at_least: float) -> pl.DataFrame:
    """Give each scenario's and device's most QPS at a recall of at least `at_least`, with its index."""
    good = results().filter(pl.col("recall") >= at_least).sort("qps", descending=True)
    return (
        good.unique(["scenario", "device"], keep="first", maintain_order=True)
        .select("scenario", "device", "index", "recall", "qps")
        .sort("scenario", "device")
    )
