"""Settings of a benchmark made up of points, and the figures drawn of them."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from pipeline.bench.analysis import reread
from pipeline.bench.analysis.cost import with_cost
from pipeline.bench.analysis.equal_recall import at_equal_recall
from pipeline.bench.analysis.prices import Price
from pipeline.bench.analysis.settings import summarise, where
from pipeline.figures import benchmark, fairness
from pipeline.figures.figure import Figure
from tests.made.points import point, points

PRICE = Price("test", 0.03, 0.004)


def made(**other: Any) -> pl.DataFrame:
    rows = [
        point(r, q * (1 + 0.1 * (repeat - 1)), {"M": 16}, {"ef": ef}, repeat=repeat, concurrency=c, **other)
        for repeat in range(3)
        for c in (1, 4)
        for ef, r, q in ((100, 0.96, 1000.0 * c), (200, 0.99, 600.0 * c), (150, 0.9, 300.0 * c))
    ]
    rows += [point(0.97, 700, {"nlist": 64}, {"nprobe": 8}, index="IVF_FLAT", build_s=2.0, memory_mb=400)]
    return with_cost(summarise(points(*rows)), PRICE)


MADE = made()
PUBLISHED = where(reread.settings(), {"scenario": "user-user"})
SIDES = at_equal_recall(where(MADE, {"index": "HNSW"}), where(MADE, {"index": "IVF_FLAT"}))


def figures(mode: str) -> dict[str, Figure]:
    return {
        "qps": benchmark.frontier(MADE.filter(pl.col("concurrency") == 4), mode),
        "cost": benchmark.frontier(MADE, mode, "usd_million"),
        "published": benchmark.frontier(PUBLISHED, mode),
        "latency": benchmark.latencies(MADE, mode),
        "load": benchmark.concurrency(MADE, mode),
        "build": benchmark.building(MADE, mode),
        "over": fairness.over(SIDES, "HNSW", "IVF_FLAT", mode),
        "speed-ups": fairness.speed_ups(reread.fair(), mode),
        "as published": fairness.as_published(reread.cpu_gpu_pairs(), "item-item", mode),
        "ceiling": fairness.ceiling(reread.cpu_gpu_pairs(), mode),
        "bits": fairness.bits(reread.cpu_gpu_pairs(), "item-item", mode),
    }


RATES = (50.0, 100.0, 200.0)


def settings_at(offered: Sequence[float] = RATES) -> pl.DataFrame:
    """Make the settings of two open loops at these rates."""
    rows = [
        point(0.97, min(rate, most), {"M": 16}, {"ef": ef}, loop="open", rate=rate, p99_ms=ef / 50)
        for ef, most in ((100, 150.0), (200, 90.0))
        for rate in offered
    ]
    return summarise(points(*rows, point(0.97, 3000.0)))
