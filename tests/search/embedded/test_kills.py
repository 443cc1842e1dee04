"""Milvus killed at any moment is back within 30 s with every row that was flushed, and status says what happened."""

import contextlib
import os
import re
import signal
import threading
import time

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.search.embedded import server
from pipeline.search.milvus import insertion
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace
from tests.conftest import wait_for

pytestmark = pytest.mark.milvus
DIM, ROWS, FLUSHED = 64, 60_000, 20_000
BUILT = 30_000  # a graph over which takes long enough to be killed meanwhile
BACK_S = 30
VECTORS = np.random.default_rng(11).standard_normal((ROWS, DIM), np.float32)
IDS = np.arange(ROWS)
RESTARTED = (
    r"Milvus ended \(signal 9\) at \d\d:\d\d:\d\d UTC and was started again after [\d.]+ s; what was flushed is there\."
)


def _kill(workspace: Workspace) -> int:
    pid = int(server.status(workspace)["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


def _wait_until_back(workspace: Workspace, killed: int) -> None:
    def back() -> bool:
        found = server.status(workspace)
        return found["state"] == "ready" and found["pid"] != killed

    wait_for(back, BACK_S, "Milvus to be back by itself")
    found = server.status(workspace)
    assert found["restarts"] == 1
    assert re.fullmatch(RESTARTED, found["last_restart"])


def _assert_searchable(engine: MilvusEngine, rows: int) -> None:
    """Each row stands once, and the answers are those of the exact search."""
    engine.build("kept", "FLAT", {}, "IP")
    engine.load("kept")
    assert engine.count("kept") == rows
    unit = VECTORS[:rows] / np.linalg.norm(VECTORS[:rows], axis=1, keepdims=True)
    for low in range(0, rows, 5000):
        found = engine._collection("kept").query(f"id >= {low} and id < {low + 5000}", output_fields=["id"])
        assert sorted(row["id"] for row in found) == list(range(low, min(low + 5000, rows)))
    sample = np.random.default_rng(5).choice(rows, 200, replace=False)
    found = engine.search("kept", unit[sample], 10, {}).ids
    exact = np.argsort(-(unit[sample] @ VECTORS[:rows].T), axis=1)[:, :10]
    assert (found == exact).mean() > 0.999


def _kill_in_an_insert(workspace: Workspace, after_batches: int = 5) -> None:
    with server.connect(workspace, "test") as engine:
        engine.create("kept", DIM, "IP")
        engine.insert("kept", IDS[:FLUSHED], VECTORS[:FLUSHED], {})
        killed: list[int] = []
        told: list[float] = []

        def kill(done: float, total: float, text: str = "", point: object = None) -> None:
            told.append(done)
            if len(told) == after_batches:
                killed.append(_kill(workspace))

        insertion.BATCH, usual = 1000, insertion.BATCH
        try:
            with pytest.raises(UserError, match="ended or stopped answering while inserting vectors"):
                engine.insert("kept", IDS, VECTORS, {}, kill, start=FLUSHED)
        finally:
            insertion.BATCH = usual
        _wait_until_back(workspace, killed[0])
        with server.connect(workspace, "again") as again:
            done = again.flushed("kept")
            assert FLUSHED <= told[-1] <= done < ROWS  # what it took is there, too
            again.insert("kept", IDS, VECTORS, {}, start=done)
            _assert_searchable(again, ROWS)


def _kill_in_a_build(workspace: Workspace) -> None:
    with server.connect(workspace, "test") as engine:
        engine.create("kept", DIM, "IP")
        engine.insert("kept", IDS[:BUILT], VECTORS[:BUILT], {})
        outcome: list[object] = []

        def build() -> None:
            try:
                outcome.append(engine.build("kept", "HNSW", {"M": 32, "efConstruction": 300}, "IP"))
            except BaseException as error:
                outcome.append(error)

        worker = threading.Thread(target=build)
        worker.start()
        time.sleep(2)
        assert not outcome, "the build was over before the kill"
        killed = _kill(workspace)
        _wait_until_back(workspace, killed)
        worker.join(120)
        assert outcome
        if isinstance(outcome[0], BaseException):  # else the server went on with it in time
            assert isinstance(outcome[0], UserError), repr(outcome[0])
            assert "ended or stopped answering while building HNSW" in str(outcome[0])
        with server.connect(workspace, "again") as again:
            assert again.flushed("kept") == BUILT
            again.release("kept")
            again._collection("kept").drop_index()
            _assert_searchable(again, BUILT)


def _kill_while_idle(workspace: Workspace) -> None:
    with server.connect(workspace, "test") as engine:
        engine.create("kept", DIM, "IP")
        engine.insert("kept", IDS[:FLUSHED], VECTORS[:FLUSHED], {})
        _assert_searchable(engine, FLUSHED)
        killed = _kill(workspace)
        with contextlib.suppress(UserError):  # a search that waits long enough meets the new server
            engine.search("kept", VECTORS[:1], 5, {})
        _wait_until_back(workspace, killed)
        with server.connect(workspace, "again") as again:
            _assert_searchable(again, FLUSHED)


def test_killed_in_an_insert_it_comes_back_and_the_insert_goes_on(workspace: Workspace) -> None:
    _kill_in_an_insert(workspace)


def test_killed_in_a_build_it_comes_back_and_builds_again(workspace: Workspace) -> None:
    _kill_in_a_build(workspace)


def test_killed_while_idle_it_comes_back(workspace: Workspace) -> None:
    _kill_while_idle(workspace)


@pytest.mark.long
@pytest.mark.parametrize("nth", range(10))
@pytest.mark.parametrize("kill", [_kill_in_an_insert, _kill_in_a_build, _kill_while_idle])
def test_each_kill_ten_times(workspace: Workspace, kill, nth: int) -> None:  # type: ignore[no-untyped-def]
    kill(workspace)
