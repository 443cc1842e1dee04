"""A cancelled build frees its job at once, is told while the server may go on with it, and ends with a restart."""

import os
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.indexes.build import IndexConfig, build_index
from pipeline.jobs import job as jobs
from pipeline.search.embedded import abandoned, server
from pipeline.store.workspace import Workspace, write_json
from pipeline.vectors.imported import ImportConfig, import_vectors
from tests.conftest import cli, wait_for

ROWS, DIM = 12_000, 64


def _serve(workspace: Workspace, pid: int) -> abandoned.Process:
    write_json(server.home(workspace) / "server.json", {"pid": pid})
    return abandoned.server(workspace)


def test_it_is_told_with_rows_age_and_way_out(workspace: Workspace) -> None:
    ours = _serve(workspace, os.getpid())
    abandoned.note(workspace, ours, "items-mine-ivf_pq", "IVF_PQ", 18_984, 300.0)
    entry = abandoned.going_on(workspace)[0]
    assert (entry.index, entry.type, entry.rows, entry.pid) == ("items-mine-ivf_pq", "IVF_PQ", 18_984, os.getpid())
    assert str(entry) == (
        "may still be building IVF_PQ over 18,984 rows, cancelled 1.0 s ago: later builds wait behind it; "
        "`milvus restart` ends it"
    )


def test_it_ends_with_the_servers_process(workspace: Workspace) -> None:
    ours = _serve(workspace, os.getpid())
    abandoned.note(workspace, ours, "a", "IVF_PQ", 5, 300.0)
    assert _serve(workspace, os.getppid())[0] == os.getppid()
    abandoned.note(workspace, ours, "b", "IVF_PQ", 5, 300.0)  # begun by a server that is gone: not noted
    assert abandoned.going_on(workspace) == []
    _serve(workspace, os.getpid())
    assert abandoned.going_on(workspace) == []  # forgotten, not hidden


def test_it_is_over_when_its_time_is_and_the_server_idles(workspace: Workspace) -> None:
    busy = psutil.Popen(["sh", "-c", "while :; do :; done"])
    try:
        for expected in (300.0, 0.0):
            abandoned.note(workspace, _serve(workspace, busy.pid), "a", "IVF_PQ", 5, expected)
        assert len(abandoned.going_on(workspace)) == 2  # it works, on whatever
        busy.suspend()
        time.sleep(0.1)
        assert [entry.expected_s for entry in abandoned.going_on(workspace)] == [300.0]
    finally:
        busy.kill()
        busy.wait()
    assert abandoned.going_on(workspace) == []


def _text(job: jobs.Job) -> str:
    return str(job.progress.get("text", ""))


@pytest.mark.milvus
def test_a_cancelled_build_frees_the_job_and_a_restart_the_server(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.random.default_rng(0).standard_normal((ROWS, DIM), np.float32))
    import_vectors(workspace, "mine", ImportConfig(file=str(tmp_path / "own.npy")))
    held = server.lease(workspace, "test")  # else the server would stop, and the build with it
    try:
        slow = jobs.start_job(
            workspace, ["index", "build", "--model", "mine", "--index", "IVF_PQ", "--build", "nbits=12"], "slow"
        )
        wait_for(lambda: "building IVF_PQ: 0 of" in _text(slow) or not slow.alive, 60)
        time.sleep(2)
        assert slow.state == "running", slow.end
        begin = time.monotonic()
        jobs.cancel(slow)
        wait_for(lambda: not slow.alive, 10, "the cancelled job to end")
        assert time.monotonic() - begin < 10
        assert slow.end["state"] == "cancelled"  # by itself, not killed
        found = cli(workspace.root, "milvus", "status")[1]
        assert [(b["type"], b["rows"]) for b in found["abandoned"]] == [("IVF_PQ", ROWS)]
        assert found["collections"] == []
        quick = jobs.start_job(workspace, ["index", "build", "--model", "mine", "--index", "IVF_FLAT"], "quick")
        wait_for(lambda: "waits behind 1 cancelled build" in _text(quick) or not quick.alive, 60)
        assert quick.state == "running", quick.end
        jobs.cancel(quick)
        wait_for(lambda: not quick.alive, 10, "the waiting job to end")
        assert server.restart(workspace)["abandoned"] == []
        with server.connect(workspace, "test") as engine:
            built = build_index(workspace, IndexConfig(model="mine", index="IVF_FLAT"), engine).manifest["metrics"]
        assert built["indexed_rows"] == ROWS
        assert built["build_s"] < 20
    finally:
        held.release()
