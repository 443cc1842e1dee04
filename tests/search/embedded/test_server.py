"""The server's life: shared while held, ended after the last holder, never orphaned, never stopped under someone."""

import os
import signal
import stat
import subprocess
import sys

import psutil
import pytest

from pipeline.search.embedded import server
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace
from tests.conftest import ours, wait_for

pytestmark = pytest.mark.milvus

HOLD = (
    "import sys, time; from pipeline.store.workspace import Workspace;"
    "from pipeline.search.embedded.server import lease;"
    "lease(Workspace.open(sys.argv[1]), 'child'); print('held', flush=True); time.sleep(120)"
)


def _hold(workspace: Workspace) -> "subprocess.Popen[str]":
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(workspace.root)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "held"
    return child


def _pids(workspace: Workspace) -> tuple[int, int]:
    found = server.status(workspace)
    return int(found["pid"]), int(found["supervisor_pid"])


def _alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _nothing_left(workspace: Workspace) -> bool:
    return not ours(str(workspace.root)) and server.status(workspace)["state"] == "stopped"


def _kill_the_holder(workspace: Workspace) -> None:
    child = _hold(workspace)
    milvus, _ = _pids(workspace)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    wait_for(lambda: not _alive(milvus), 30, "Milvus to stop after its killed holder")
    wait_for(lambda: _nothing_left(workspace), 10)


def _kill_the_supervisor(workspace: Workspace) -> None:
    child = _hold(workspace)
    milvus, supervisor = _pids(workspace)
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not _alive(milvus), 15, "Milvus to die with its supervisor")
    with server.connect(workspace, "next") as engine:
        assert engine.collections() == []
    child.kill()
    child.wait()
    wait_for(lambda: _nothing_left(workspace), 30)


def _kill_milvus(workspace: Workspace) -> None:
    with server.connect(workspace, "first") as engine:
        engine.create("kept", 4, "IP")
        milvus, _ = _pids(workspace)
        os.kill(milvus, signal.SIGKILL)
        wait_for(lambda: not _alive(milvus), 10)
        with server.connect(workspace, "second") as again:
            assert again.collections() == ["kept"]
            assert _pids(workspace)[0] != milvus
    wait_for(lambda: _nothing_left(workspace), 30)


def test_a_killed_holder_leaves_no_orphan(workspace: Workspace) -> None:
    _kill_the_holder(workspace)


def test_a_killed_supervisor_leaves_no_orphan_and_the_next_starts(workspace: Workspace) -> None:
    _kill_the_supervisor(workspace)


def test_a_killed_server_comes_back_with_its_data(workspace: Workspace) -> None:
    _kill_milvus(workspace)


@pytest.mark.long
@pytest.mark.parametrize("nth", range(10))
@pytest.mark.parametrize("kill", [_kill_the_holder, _kill_the_supervisor, _kill_milvus])
def test_thirty_kills(workspace: Workspace, kill, nth: int) -> None:  # type: ignore[no-untyped-def]
    kill(workspace)


def test_two_at_once_share_one_server(workspace: Workspace) -> None:
    command = [sys.executable, "-c", HOLD, str(workspace.root)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for child in both:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "held"
    milvus, _ = _pids(workspace)
    assert len([p for p in psutil.process_iter(["name"]) if p.pid == milvus]) == 1
    assert len(server.status(workspace)["held_by"]) == 2
    both[0].kill()
    both[0].wait()
    assert "goes on for child" in server.stop_server(workspace)
    assert _alive(milvus)  # not stopped under the other
    both[1].kill()
    both[1].wait()
    wait_for(lambda: _nothing_left(workspace), 30)


def test_started_by_hand_it_stays_until_stopped(workspace: Workspace) -> None:
    found = server.start_server(workspace)
    assert found["state"] == "ready"
    assert found["version"].startswith("2.3.5")
    assert stat.S_IMODE(os.stat(found["password_file"]).st_mode) == 0o600
    port = int(found["uri"].rsplit(":", 1)[1])
    pids = {found["pid"], found["supervisor_pid"]}  # the supervisor listens where it relays
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]
    assert listening[0].pid in pids
    assert server.stop_server(workspace) == "Milvus is stopped."
    assert _nothing_left(workspace)
    assert server.stop_server(workspace) == "Milvus is not running."


def test_another_server_is_used_by_its_address(
    workspace: Workspace, engine: MilvusEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(server.URI_VARIABLE, engine.endpoint.uri)
    monkeypatch.setenv(server.TOKEN_VARIABLE, engine.endpoint.token)
    with server.connect(workspace, "elsewhere") as other:
        assert other.version().startswith("2.3.5")
    assert not (workspace.root / "milvus" / "server.json").exists()
    assert server.status(workspace)["state"] == "external"
