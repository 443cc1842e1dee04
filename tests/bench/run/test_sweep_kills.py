"""A sweep, its server or its client is killed or cancelled: what was measured is kept, and it goes on."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from pipeline.bench import runs
from pipeline.bench.run.options import resumed
from pipeline.jobs.job import cancel, jobs
from pipeline.search.embedded.server import connect, status
from pipeline.store.workspace import Workspace
from tests.bench.conftest import Served
from tests.bench.sweeps import VECTORS, bench
from tests.conftest import wait_for

pytestmark = pytest.mark.milvus


def clients(parent: int) -> list[psutil.Process]:
    """List the client processes of one load generator: others may run on this machine."""
    found = []
    for process in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if "pipeline.bench.load.client" in process.cmdline():
                found.append(process)
    return found


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
    alive = clients(running.pid)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert psutil.wait_procs(alive, 20)[1] == [], "its clients end with it"
    before = runs.load_points(served.workspace, "killed")
    assert runs.find_run(served.workspace, "killed").status == "interrupted"
    assert 2 <= before.height < 6
    answer = bench(root, *options)
    assert answer["run"] == "killed"
    after = runs.load_points(served.workspace, "killed")
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
    run = runs.find_run(served.workspace, "cancelled")
    assert (run.status, run.points) == ("cancelled", 1)


def test_a_killed_server_comes_back_and_the_sweep_goes_on(workspace: Workspace) -> None:
    def kill() -> None:
        path = workspace.root / "benchmarks" / "survives" / "rows.jsonl"
        wait_for(lambda: path.exists() and path.read_text().count("\n") == 1, 60)
        time.sleep(0.5)
        psutil.Process(int(status(workspace)["pid"])).kill()

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
    with connect(workspace, "tests"):  # it stays until it has told that it was started again
        answer = bench(workspace.root, *VECTORS, *options, "--top-k", "5", "--seconds", "1", "--name", "survives")
        killer.join()
        assert [row["error"] for row in answer["rows"]] == [None] * 4
        assert len({row["recall"] for row in answer["rows"]}) == 1, "the same rows answer after the restart"
        assert status(workspace)["restarts"] == 1


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
    killed: list[int] = []

    def kill() -> None:
        wait_for(lambda: bool(clients(os.getpid())), 60)
        time.sleep(1.0)
        (first, *_) = clients(os.getpid())
        first.kill()
        killed.append(first.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    options = ("--index", "FLAT", "--nq", "1", "--concurrency", "2", "--top-k", "9", "--seconds", "1.5")
    answer = bench(root, *VECTORS, *options)
    killer.join()
    assert killed
    assert [row["error"] for row in answer["rows"]] == [None]
