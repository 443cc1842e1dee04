"""Print how long exact neighbours take beside `faiss.IndexFlat`, in one run.

`env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -m tests.benchmarks.exact`: 49,000 x 64 against 10,000 queries, top
100, the two in turn, median of 5. FAISS's flat index runs on all cores, too.
"""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable

import faiss
import numpy as np

from pipeline.search.exact.blocked import nearest, numpy_arrays

ROWS, DIM, QUERIES, TOP_K, ROUNDS, GOAL_S = 49_000, 64, 10_000, 100, 5, 5.0


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _compare(metric: str, vectors: np.ndarray, queries: np.ndarray) -> bool:
    index = faiss.IndexFlat(DIM, faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT)
    index.add(vectors)
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: nearest(numpy_arrays(), vectors, queries, TOP_K, metric),
        "faiss": lambda: index.search(queries, TOP_K),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(ROUNDS):
        for way in sorted(ways, reverse=turn % 2 == 0):
            took[way].append(_timed(ways[way]))
    ratio = statistics.median(f / o for f, o in zip(took["faiss"], took["ours"], strict=True))
    ours, theirs = (statistics.median(took[way]) for way in ways)
    met = ratio >= 1 and ours < GOAL_S
    print(f"{metric}: {ours:.2f} s, faiss.IndexFlat {theirs:.2f} s: {ratio:.2f} times as fast (goal 1)", end="")
    print("" if met else "  MISSED", flush=True)
    return met


def main() -> None:
    """Measure and print; exit code 1 where a goal is missed."""
    random = np.random.default_rng(0)
    vectors, queries = (random.standard_normal((n, DIM), np.float32) for n in (ROWS, QUERIES))
    print(f"{platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}, faiss {faiss.__version__}", end=", ")
    print(f"{ROWS:,} x {DIM}, {QUERIES:,} queries, top {TOP_K}, median of {ROUNDS}, goal {GOAL_S:g} s:")
    met = [_compare(metric, vectors, queries) for metric in ("L2", "IP")]
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
