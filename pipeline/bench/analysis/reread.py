"""The published study told again: its figures as they were given, and what they show when read like for like."""

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.bench import published
from pipeline.bench.analysis.compare import Comparison, at_equal_recall
from pipeline.bench.analysis.settings import summarise, where
from pipeline.bench.runs import packed
from pipeline.core.text import percent
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.params import raised

SCENARIOS = ("item-item", "user-user", "user-item")


def pairs() -> pl.DataFrame:
    """Pair the IVF_PQ of CPU and GPU by scenario, nlist and nprobe, as the study's speed-ups do.

    Columns: scenario, nlist, nprobe, and of each device qps, recall, nbits and index_s (`qps`, `qps_gpu`, …); times.
    """
    on = ["scenario", "nlist", "search_value"]
    both = [
        published.results().filter(pl.col("index") == name).select(*on, "qps", "recall", "nbits", "index_s")
        for name in ("IVF_PQ", "GPU_IVF_PQ")
    ]
    return (
        both[0]
        .join(both[1], on=on, suffix="_gpu")
        .rename({"search_value": "nprobe"})
        .with_columns((pl.col("qps_gpu") / pl.col("qps")).alias("times"))
        .sort("scenario", "nlist", "nprobe")
    )


@dataclass(frozen=True)
class Fair:
    """A scenario's speed-up as it was published, and at equal recall."""

    scenario: str
    published: tuple[float, float]
    """Fewest and most times, GPU over CPU at the same nlist and nprobe."""
    same_type: Comparison
    """GPU_IVF_PQ over the CPU's IVF_PQ at equal recall."""
    best: Comparison
    """The GPU's best over the CPU's best of any type."""


def fair() -> list[Fair]:
    """Set the published speed-up of each scenario beside those at equal recall."""
    found = []
    for scenario in SCENARIOS:
        times = pairs().filter(pl.col("scenario") == scenario)["times"].to_list()
        here = where(settings(), {"scenario": scenario})
        cpu, gpu = where(here, {"device": "cpu"}), where(here, {"device": "gpu"})
        same = at_equal_recall(gpu, where(cpu, {"index": "IVF_PQ"}))
        found.append(Fair(scenario, (min(times), max(times)), same, at_equal_recall(gpu, cpu)))
    return found


def settings() -> pl.DataFrame:
    """Give the published settings with those that are one setting as one, their spread as if they were repeats."""
    return summarise(effective(published.points()))


def effective(points: pl.DataFrame) -> pl.DataFrame:
    """Raise search parameters to the least that holds for the top-k: an ef below top_k searches as ef = top_k does."""
    searched = [_raised(row) for row in points.select("index", "top_k", "search").iter_rows(named=True)]
    return points.with_columns(pl.Series("search", searched, pl.String))


def _raised(row: dict[str, Any]) -> str:
    return packed(raised(CATALOGUE[row["index"]], json.loads(row["search"]), row["top_k"]))


def flat() -> pl.DataFrame:
    """Give what the study drew as several points and is one: scenario, index, build, search, points, recall, qps, …."""
    merged = summarise(effective(published.points())).filter(pl.col("repeats") > 1)
    columns = ["scenario", "index", "build", "search", "recall", "qps", "qps_low", "qps_high"]
    return merged.select(*columns, pl.col("repeats").alias("points"))


def ceiling() -> pl.DataFrame:
    """Give how the GPU's QPS follow nprobe: scenario, nlist, q5, q10, q20, and fall (q5 / q20, 1 where it is flat)."""
    wide = pairs().pivot("nprobe", index=["scenario", "nlist"], values="qps_gpu")
    return wide.rename({"5": "q5", "10": "q10", "20": "q20"}).with_columns((pl.col("q5") / pl.col("q20")).alias("fall"))


def lessons() -> list[str]:
    """Say what the published figures show beside what they were published for, one sentence each."""
    return [_flat_lesson(), _ceiling_lesson(), _bits_lesson()]


def _flat_lesson() -> str:
    merged = flat()
    noise = max(high / low for low, high in merged.select("qps_low", "qps_high").rows()) - 1
    return (
        f"Flat HNSW points: an ef below top-k 100 searches as ef = 100 does, so {merged['points'].sum()} drawn points "
        f"are really {merged.height}; their QPS differ by up to {percent(noise, 1)}, "
        "which shows how far a measurement varied."
    )


def _ceiling_lesson() -> str:
    calm = pairs().filter(pl.col("scenario") != "user-user")["qps_gpu"].to_list()
    falls = ceiling().filter((pl.col("scenario") == "user-user") & (pl.col("nlist") == 100)).row(0, named=True)
    return (
        f"The client's ceiling: in item-item and user-item the GPU answers {min(calm) / 1000:.1f}k to "
        f"{max(calm) / 1000:.1f}k QPS whatever nprobe is, so it was the client that was measured; in user-user, "
        f"over 6.2 M vectors, QPS do fall: {' → '.join(f'{falls[q] / 1000:.1f}k' for q in ('q5', 'q10', 'q20'))} "
        "at nlist 100 for nprobe 5, 10 and 20."
    )


def _bits_lesson() -> str:
    lost = max(pairs().iter_rows(named=True), key=lambda row: float(row["recall"] - row["recall_gpu"]))
    where_ = f"{lost['scenario']}, nlist {lost['nlist']}, nprobe {lost['nprobe']}"
    return (
        f"nbits {lost['nbits']} against {lost['nbits_gpu']}: the CPU's IVF_PQ used {lost['nbits']} bits per piece, "
        f"the GPU's {lost['nbits_gpu']}, so at the same nlist and nprobe the GPU finds less: "
        f"{lost['recall_gpu']:.3f} instead of {lost['recall']:.3f} at {where_}."
    )
