"""Print what the published user–user scenario takes here, at its size: made-up vectors of 6.2 million sessions.

IVF_SQ8, IVF_PQ with nbits 8 and one HNSW; recall on 10,000 queries with its interval; the published figures beside.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.bench import published
from pipeline.bench.analysis.reread import effective
from tests.benchmarks.published import ITEMS, PUBLISHED_SESSIONS
from tests.measure import machine, measure

RUN = [
    "bench", "--scenario", "user-user", "--model", f"synthetic:{ITEMS},{PUBLISHED_SESSIONS}",
    "--index", "IVF_SQ8", "--build", "nlist=400", "--search", "nprobe=5,10",
    "--index", "IVF_PQ", "--build", "nlist=400,m=64,nbits=8", "--search", "nprobe=5,10",
    "--index", "HNSW", "--build", "M=16,efConstruction=100", "--search", "ef=100,200",
    "--nq", "1000", "--concurrency", "2", "--seconds", "60", "--build-limit", "5400",
]  # fmt: skip
LIMIT_S = 9000


def main(workspace: Path) -> None:
    """Measure and print."""
    print(machine(), flush=True)
    measured = measure(RUN, workspace, LIMIT_S)
    assert measured.returncode == 0, measured.stderr[-3000:]
    answer = json.loads(measured.stdout.splitlines()[-1])
    print(f"Milvus {answer['versions']['milvus']}")
    for row in answer["rows"]:
        print(_line(row))
    print(f"{measured.seconds / 60:.1f} min in all, peak {measured.peak_bytes / 1e9:.1f} GB of the whole process tree")
    print("published, on two CPUs of 48 cores and an A100:")
    alike = pl.col("build").str.contains('"nlist": 400') | pl.col("build").str.contains('"M": 16')
    points = effective(published.points()).filter((pl.col("scenario") == "user-user") & alike)
    points = points.unique(["index", "build", "search"], keep="first", maintain_order=True)
    for row in points.iter_rows(named=True):
        print(_line(row))


def _line(row: dict[str, Any]) -> str:
    build, search = (_shown(row[part]) for part in ("build", "search"))
    recall = f"{row['recall']:.4f} [{row['recall_low']:.4f}, {row['recall_high']:.4f}]"
    built = "" if row["build_s"] is None else f"built in {row['build_s'] / 60:.1f} min"
    return f"{row['index']:<11} {build:<26} {search:<11} recall@100 {recall}  {row['qps']:>9,.0f} QPS  {built}"


def _shown(values: Any) -> str:
    found = json.loads(values) if isinstance(values, str) else values
    return ",".join(f"{name}={value}" for name, value in found.items())


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            main(Path(folder) / "ws")
