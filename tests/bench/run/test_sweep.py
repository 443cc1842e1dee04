"""Sweeps on a real server through the command line: figures, resume, what is left out, and what goes wrong."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.bench import runs
from pipeline.bench.load.messages import TIME_SLICES
from pipeline.bench.run import index as built
from pipeline.store.workspace import Workspace
from tests.bench.sweeps import VECTORS, bench

pytestmark = pytest.mark.milvus

FIGURES = {
    "index", "build", "search", "nq", "concurrency", "recall", "qps", "p50_ms", "p95_ms", "p99_ms", "client_cpu",
    "server_cpu", "client_bound", "build_s", "memory_mb", "server_memory_mb", "server_growth_mb",
}  # fmt: skip


def test_a_sweep_measures_each_point_and_keeps_it(root: Path, tmp_path: Path) -> None:
    answer = bench(
        root, *VECTORS, "--index", "HNSW", "--build", "M=8,efConstruction=64", "--search", "ef=10,20,60",
        "--index", "FLAT", "--build", "", "--search", "",
        "--nq", "1,100", "--concurrency", "2", "--top-k", "20", "--seconds", "0.2", "--client", "pymilvus",
    )  # fmt: skip
    rows = answer["rows"]
    assert answer["status"] == "done"
    assert len(rows) == (2 + 1) * 2 * 2
    assert answer["plan"]["notes"] == [
        "HNSW: ef 10 behaves as ef 20, as it is at least top_k: one point in place of two."
    ]
    assert all(row["error"] is None for row in rows), rows
    assert all(row[name] is not None for row in rows for name in FIGURES)
    assert {row["search"].get("ef") for row in rows if row["index"] == "HNSW"} == {20, 60}
    assert {row["recall"] for row in rows if row["index"] == "FLAT"} == {1.0}
    assert all(0.5 < row["recall"] <= 1 for row in rows)
    assert all(row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] for row in rows)
    assert all(row["p50_ms_low"] <= row["p50_ms"] <= row["p50_ms_high"] for row in rows)
    answered = [json.loads(row["answered"]) for row in rows]
    assert {len(slices) for slices in answered} == {TIME_SLICES}
    for row, slices in zip(rows, answered, strict=True):
        assert (
            0.3 < sum(slices) / row["seconds"] / row["qps"] < 3
        )  # a client that a busy machine holds up counts no less
    asked_often = [row for row in rows if row["nq"] == 1 and row["qps_low"] is not None]  # a stall leaves no interval
    assert asked_often
    assert all(0 < row["qps_low"] <= row["qps"] <= row["qps_high"] for row in asked_often)
    assert {row["client"] for row in rows} == {"raw", "pymilvus"}
    assert all(row["server_memory_mb"] > 100 > row["memory_mb"] for row in rows), (
        "measured and estimated are two figures"
    )
    assert answer["versions"]["milvus"].startswith("2.3")
    assert answer["hardware"]["cores"] >= 1

    name = answer["run"]
    assert name in [run["name"] for run in bench(root, "list")["runs"]]
    shown = bench(root, "show", name)
    assert shown["rows"] == rows
    table = runs.load_points(Workspace.open(root), name)
    for suffix in (".csv", ".parquet", ".json"):
        exported = bench(root, "export", name, "--out", str(tmp_path / f"points{suffix}"))
        assert exported["rows"] == len(rows)
    assert pl.read_parquet(tmp_path / "points.parquet").equals(table)
    assert pl.read_csv(tmp_path / "points.csv").height == len(rows)
    assert len(json.loads((tmp_path / "points.json").read_text())["rows"]) == len(rows)
    assert "says no form" in bench(root, "export", name, "--out", "x.doc", code=2)["error"]
    bench(root, "drop", name)
    assert "There is no benchmark run" in bench(root, "show", name, code=2)["error"]


def test_a_dry_run_says_how_many_and_how_long_and_measures_nothing(root: Path) -> None:
    before = bench(root, "list")
    answer = bench(root, *VECTORS, "--preset", "quick", "--nq", "1,100", "--repeats", "3", "--dry-run")
    assert answer["plan"]["points"] == 7 * 2 * 3
    assert 42 * 2 < answer["plan"]["seconds"] < 42 * 5
    assert bench(root, "list") == before


def test_repeats_and_an_open_loop(root: Path) -> None:
    options = ("--index", "FLAT", "--nq", "1", "--concurrency", "2", "--top-k", "5", "--seconds", "0.5")
    answer = bench(root, *VECTORS, *options, "--rate", "20", "--repeats", "3")
    assert [row["repeat"] for row in answer["rows"]] == [0, 1, 2]
    assert {(row["loop"], row["rate"]) for row in answer["rows"]} == {("open", 20.0)}
    assert all(row["qps"] <= 22 for row in answer["rows"])


def test_a_sample_of_queries_has_an_interval(root: Path) -> None:
    options = ("--index", "IVF_FLAT", "--build", "nlist=64", "--search", "nprobe=2", "--nq", "50", "--concurrency", "1")
    answer = bench(root, *VECTORS, *options, "--top-k", "10", "--seconds", "0.2", "--queries", "100")
    [row] = answer["rows"]
    assert row["recall_low"] < row["recall"] < row["recall_high"]


def test_an_index_that_cannot_be_built_in_time_is_an_error_of_its_points_and_the_others_follow(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = built.MilvusEngine.build

    def slow(self: Any, name: str, index: str, params: Any, metric: str, progress: Any, limit_s: float) -> Any:
        return real(self, name, index, params, metric, progress, 0.0 if index == "HNSW" else limit_s)

    monkeypatch.setattr(built.MilvusEngine, "build", slow)
    options = (
        "--index",
        "HNSW",
        "--index",
        "FLAT",
        "--nq",
        "1",
        "--concurrency",
        "1",
        "--top-k",
        "6",
        "--seconds",
        "0.2",
    )
    answer = bench(root, *VECTORS, *options, "--build-limit", "1")
    hnsw, flat = answer["rows"]
    assert "raise --build-limit" in hnsw["error"] or "did not end well" in hnsw["error"]
    assert hnsw["qps"] is None
    assert flat["error"] is None


def test_dominated_settings_are_measured_once(root: Path) -> None:
    options = ("--index", "HNSW", "--search", "ef=5,4000", "--nq", "1,100", "--concurrency", "1,2", "--top-k", "5")
    answer = bench(root, *VECTORS, *options, "--seconds", "0.3", "--skip-dominated")
    left_out = [row for row in answer["rows"] if row["error"]]
    assert len(answer["rows"]) == 8
    assert all(row["error"].startswith("Left out: HNSW") and row["qps"] is None for row in left_out)
    first = {row["search"]["ef"]: row for row in answer["rows"] if (row["nq"], row["concurrency"]) == (1, 1)}
    if first[5]["recall"] >= first[4000]["recall"]:
        assert {row["search"]["ef"] for row in left_out} == {4000}
        assert len(left_out) == 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--top-k", "4000"], "top_k 4,000 is over the 3,000 vectors"),
        (["--nq", "500"], "nq 500 is over the 400 queries"),
        (["--nq", "1,x"], "--nq '1,x' is not numbers"),
        (["--preset", "quik"], "Did you mean quick"),
        (["--index", "GPU_CAGRA"], "needs a Milvus on a GPU"),
        (["--index", "DISKANN"], "cannot be built on the server 'embedded'"),
        (["--search", "ef=1", "--search", "ef=2"], "--search is given 2 times for 1 --index"),
        (["--resume", "nothing"], "There is no benchmark run 'nothing'"),
        (["--name", "a/b"], "cannot name a benchmark run"),
        (["--client", "curl"], "There is no client 'curl'"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(root: Path, options: list[str], expected: str) -> None:
    before = bench(root, "list")
    assert expected in bench(root, *VECTORS, *options, code=2)["error"]
    assert bench(root, "list") == before
