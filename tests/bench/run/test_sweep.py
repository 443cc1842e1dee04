"""Sweeps on a real server through the command line: figures, resume, what is left out, and what goes wrong."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema
from typer.testing import CliRunner

from pipeline.bench import runs
from pipeline.bench.load.messages import TIME_SLICES
from pipeline.bench.run import index as built
from pipeline.bench.run.options import resumed
from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.core.workspace import Workspace
from pipeline.jobs.job import cancel, jobs
from pipeline.search.embedded.server import status
from pipeline.search.milvus import foreign
from tests.bench.conftest import Served
from tests.conftest import wait_for

pytestmark = pytest.mark.milvus
FIGURES = {
    "index", "build", "search", "nq", "concurrency", "recall", "qps", "p50_ms", "p95_ms", "p99_ms", "client_cpu",
    "server_cpu", "client_bound", "build_s", "memory_mb", "server_memory_mb", "server_growth_mb",
}  # fmt: skip
VECTORS = ("--model", "synthetic:3000,400,16", "--scenario", "user-item")


def bench(root: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended = CliRunner().invoke(app, ["bench", *arguments, "--workspace", str(root), "--json"])
    assert ended.exit_code == code, ended.output
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def _clients(parent: int) -> list[psutil.Process]:
    """List the client processes of one load generator: others may run on this machine."""
    return [p for p in psutil.Process(parent).children(recursive=True) if "pipeline.bench.load.client" in p.cmdline()]


@pytest.fixture
def root(served: Served) -> Path:
    """Give a workspace whose server runs already."""
    return served.workspace.root


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
        assert sum(slices) / row["seconds"] == pytest.approx(row["qps"], rel=0.3)
    asked_often = [row for row in rows if row["nq"] == 1]
    assert all(0 < row["qps_low"] <= row["qps"] <= row["qps_high"] < 2 * row["qps"] for row in asked_often)
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
    table = runs.load(Workspace.open(root), name)
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


def test_a_killed_sweep_goes_on_without_repeating_a_point(served: Served, root: Path) -> None:
    options = [
        *VECTORS,
        "--index",
        "FLAT",
        "--nq",
        "1,10,100",
        "--concurrency",
        "1,2",
        "--top-k",
        "7",
        "--seconds",
        "0.7",
    ]
    command = [sys.executable, "-m", "pipeline", "bench", *options, "--workspace", str(root), "--name", "killed"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    path = root / "benchmarks" / "killed" / "rows.jsonl"
    wait_for(lambda: path.exists() and path.read_text().count("\n") >= 2, 60)
    clients = _clients(running.pid)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert psutil.wait_procs(clients, 20)[1] == [], "its clients end with it"
    before = runs.load(served.workspace, "killed")
    assert runs.find(served.workspace, "killed").status == "interrupted"
    assert 2 <= before.height < 6
    answer = bench(root, *options)
    assert answer["run"] == "killed"
    after = runs.load(served.workspace, "killed")
    assert after.head(before.height).equals(before)
    assert after.height == 6
    assert after.unique(["nq", "concurrency"]).height == 6
    left = [name for name in served.engine.collections() if "bench_" in name]
    assert left == [], "what the killed one built is gone"
    assert bench(root, *options, "--dry-run")["plan"]["points"] == 6
    assert bench(root, "--resume", "killed")["points"] == 6
    assert resumed(served.workspace, "killed").top_k == (7,)


def test_a_cancelled_sweep_keeps_its_points(served: Served, root: Path) -> None:
    options = [*VECTORS, "--index", "FLAT", "--nq", "1", "--concurrency", "1,2", "--top-k", "8", "--seconds", "2"]
    command = [sys.executable, "-m", "pipeline", "bench", *options, "--workspace", str(root), "--name", "cancelled"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    path = root / "benchmarks" / "cancelled" / "rows.jsonl"
    wait_for(lambda: path.exists() and path.read_text().count("\n") == 1, 60)
    cancel(jobs(served.workspace)[0])
    assert running.wait(10) == 130
    run = runs.find(served.workspace, "cancelled")
    assert (run.status, run.points) == ("cancelled", 1)


def test_a_killed_server_comes_back_and_the_sweep_goes_on(served: Served, root: Path) -> None:
    def kill() -> None:
        path = root / "benchmarks" / "survives" / "rows.jsonl"
        wait_for(lambda: path.exists() and path.read_text().count("\n") == 1, 60)
        time.sleep(0.5)
        psutil.Process(int(status(served.workspace)["pid"])).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    options = (
        "--index",
        "IVF_FLAT",
        "--build",
        "nlist=16",
        "--search",
        "nprobe=4",
        "--nq",
        "1,10",
        "--concurrency",
        "1,2",
    )
    answer = bench(root, *VECTORS, *options, "--top-k", "5", "--seconds", "1.5", "--name", "survives")
    killer.join()
    assert [row["error"] for row in answer["rows"]] == [None] * 4
    assert len({row["recall"] for row in answer["rows"]}) == 1, "the same rows answer after the restart"
    assert status(served.workspace)["restarts"] == 1


@pytest.mark.long
def test_a_server_that_dies_under_each_build_is_an_error_of_its_points_and_the_others_follow(tmp_path: Path) -> None:
    """As the kernel ends it where memory is short: killed while it builds, and again whenever that is repeated."""
    workspace = Workspace.open(tmp_path / "ws")
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.2):
            building = "building HNSW" in str(jobs(workspace)[:1] and jobs(workspace)[0].progress.get("text"))
            pid = status(workspace).get("pid")
            with contextlib.suppress(psutil.Error):  # it ended by itself meanwhile
                if building and pid and psutil.Process(int(pid)).cpu_percent(0.5) > 30:
                    psutil.Process(int(pid)).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    vectors = ("--model", "synthetic:60000,400,64", "--scenario", "user-item")
    grids = ("--index", "HNSW", "--build", "M=32,efConstruction=2000", "--index", "FLAT", "--build", "")
    loads = ("--nq", "1", "--concurrency", "1", "--top-k", "10", "--seconds", "0.3")
    hnsw, flat = bench(workspace.root, *vectors, *grids, *loads)["rows"]
    over.set()
    killer.join()
    assert "ended or stopped answering while" in hnsw["error"]
    assert (flat["error"], flat["recall"]) == (None, 1.0)


def test_a_client_that_dies_costs_no_point(served: Served, root: Path) -> None:
    def kill() -> None:
        wait_for(lambda: bool(_clients(os.getpid())), 60)
        time.sleep(1.0)
        _clients(os.getpid())[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    options = ("--index", "FLAT", "--nq", "1", "--concurrency", "2", "--top-k", "9", "--seconds", "1.5")
    answer = bench(root, *VECTORS, *options)
    killer.join()
    assert [row["error"] for row in answer["rows"]] == [None]


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


def test_a_collection_of_others_is_asked_as_it_is(served: Served, root: Path) -> None:
    before = served.engine.describe("ready")
    options = ("--search", "nprobe=1,16", "--nq", "50", "--concurrency", "1", "--top-k", "10", "--seconds", "0.2")
    answer = bench(root, "--collection", "ready", *options, "--queries", "200")
    low, high = answer["rows"]
    assert (low["index"], low["build"], low["scenario"]) == ("IVF_FLAT", {"nlist": 16}, "ready")
    assert low["recall"] < high["recall"] == 1.0
    assert low["build_s"] is low["server_growth_mb"] is None
    assert served.engine.describe("ready") == before
    assert "There is no collection 'raedy'" in bench(root, "--collection", "raedy", code=2)["error"]


@pytest.fixture
def texts(served: Served) -> Iterator[str]:
    """Make a collection as others do, whose rows have text for keys."""
    fields = [
        FieldSchema("name", DataType.VARCHAR, is_primary=True, max_length=40),
        FieldSchema("embedding", DataType.FLOAT_VECTOR, dim=served.vectors.shape[1]),
    ]
    made = Collection("texts", CollectionSchema(fields), using=served.engine.alias, num_shards=1)
    made.insert([[f"item {n}" for n in range(len(served.vectors))], list(served.vectors)])
    made.flush()
    made.create_index("embedding", {"index_type": "IVF_FLAT", "metric_type": "IP", "params": {"nlist": 16}})
    made.load()
    yield "texts"
    made.drop()


def test_a_collection_with_text_for_keys_is_asked_and_compared(served: Served, root: Path, texts: str) -> None:
    options = ("--search", "nprobe=1,16", "--nq", "50", "--concurrency", "1", "--top-k", "10", "--seconds", "0.2")
    for client in ("raw", "pymilvus"):
        answer = bench(root, "--collection", texts, *options, "--queries", "200", "--client", client)
        few, all_of_them = answer["rows"][-2:]
        assert few["recall"] < all_of_them["recall"] == 1.0
    found = foreign.neighbours(served.engine, texts, 5, queries=3)
    assert all(
        key.startswith("item ") and len(answer) == 5
        for key, answer in zip(found["queries"], found["answers"], strict=True)
    )
    ours = foreign.compare(served.engine, texts, texts, 10, 20)
    assert ours["in_common"] == 1
    with pytest.raises(UserError, match="names its rows by numbers and the other by text"):
        foreign.compare(served.engine, texts, "ready", 10, 20)


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
