"""Whatever keeps Milvus from running is a sentence with a way out, and the way out works."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.core.errors import UserError
from pipeline.search.embedded import binary, network, server
from pipeline.store.workspace import Workspace, write_json
from tests.conftest import wait_for
from tests.small_disk import on_a_small_disk

pytestmark = pytest.mark.milvus
FILL = """
import sys; from pathlib import Path; import numpy as np
from pipeline.core.errors import UserError; from pipeline.store.workspace import Workspace
from pipeline.search.embedded import server
disk = Path(sys.argv[1]); ballast = disk / "ballast"; ballast.write_bytes(bytes(int(sys.argv[2]) << 20))
ids = np.arange(300_000); vectors = np.random.default_rng(0).standard_normal((len(ids), 64), np.float32)
try:
    with server.connect(Workspace.open(disk / "ws"), "test") as engine:
        engine.create("kept", 64, "IP")
        engine.insert("kept", ids[:50_000], vectors[:50_000], {})
        try:
            engine.insert("kept", ids, vectors, {}, start=50_000)
        except UserError as error:
            print(error)
        ballast.unlink()
        done = engine.flushed("kept")
        print(done)
        engine.insert("kept", ids, vectors, {}, start=done)
        engine.build("kept", "FLAT", {}, "IP")
        engine.load("kept")
        print(engine.count("kept"))
except UserError as error:
    print(error)
"""


def _stopped(workspace: Workspace) -> None:
    server.stop_server(workspace)
    wait_for(lambda: server.status(workspace)["state"] == "stopped", 30, "Milvus to stop")


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        ("etcd.data/member/snap/db", "failed to open database"),
        ("rocksmq/MANIFEST-*", "fail to init rocksmq: Corruption"),
        pytest.param("etcd.data/member/wal/*.wal", "failed to init embedded Etcd server", marks=pytest.mark.long),
        pytest.param("rocksmq_meta_kv/CURRENT", "fail to init rocksmq: Corruption", marks=pytest.mark.long),
    ],
)
def test_damaged_data_are_named_and_moved_away_it_starts(workspace: Workspace, damaged: str, told: str) -> None:
    with server.connect(workspace, "test") as engine:
        engine.create("kept", 4, "IP")
    _stopped(workspace)
    data = server.home(workspace) / "data"
    (path,) = data.glob(damaged)
    with path.open("r+b") as file:
        file.write(np.random.default_rng(1).bytes(8192))
    began = time.monotonic()
    with pytest.raises(UserError) as caught, server.connect(workspace, "test"):
        pass
    assert time.monotonic() - began < 30
    sentence = str(caught.value)
    assert told in sentence
    assert f"move {data} away and build the indexes again" in sentence
    assert server.status(workspace)["error"] == sentence
    data.rename(data.with_name("data-damaged"))
    with server.connect(workspace, "test") as engine:
        assert engine.collections() == []


@pytest.mark.long
def test_a_disk_that_fills_is_a_sentence_and_with_room_the_insert_goes_on(tmp_path: Path) -> None:
    sentence, done, count = on_a_small_disk(tmp_path / "disk", "600m", FILL, "250")
    assert "has a full disk: free some space for its data and try again" in sentence
    assert 50_000 <= int(done) < 300_000
    assert int(count) == 300_000


def test_a_disk_too_small_to_start_on_is_a_sentence(tmp_path: Path) -> None:
    (sentence,) = on_a_small_disk(tmp_path / "disk", "40m", FILL, "1")
    assert "for its disk is full" in sentence
    assert f"free some space for {tmp_path / 'disk' / 'ws' / 'milvus'} and try again" in sentence


@pytest.mark.parametrize("whose", ["nobody's", "another's"])
def test_a_stale_file_that_names_a_pid_is_ignored(workspace: Workspace, whose: str) -> None:
    """The process of another that has the number by now is neither taken for ours nor ended."""
    other = subprocess.Popen(["sleep", "300"])
    if whose == "nobody's":
        other.kill()
        other.wait()
    about = {"state": "ready", "uri": "http://127.0.0.1:9", "user": "root", "version": "2.3.5", "ports": {}}
    stale = about | {"pid": other.pid, "supervisor_pid": other.pid, "since": time.time()}
    write_json(server.home(workspace) / "server.json", stale)
    (server.home(workspace) / "supervisor.lock").touch()
    assert server.status(workspace)["state"] == "stopped"
    assert server.stop_server(workspace) == "Milvus is not running."
    with server.connect(workspace, "test") as engine:
        assert engine.collections() == []
        assert server.status(workspace)["pid"] != other.pid
    if whose == "another's":
        assert other.poll() is None
        other.kill()
        other.wait()


def test_a_port_that_someone_took_is_not_waited_for(workspace: Workspace) -> None:
    if not network.may_enter():
        pytest.skip("this kernel gives no process a network of its own")
    with server.connect(workspace, "first") as engine:
        before = int(engine.endpoint.uri.rsplit(":", 1)[1])
    _stopped(workspace)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", before))
        taken.listen()
        with server.connect(workspace, "second") as engine:
            assert int(engine.endpoint.uri.rsplit(":", 1)[1]) != before
            assert engine.collections() == []


def test_inner_ports_that_others_use_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        first = binary._free_ports(1)[0]
        taken.bind(("0.0.0.0", first))
        monkeypatch.setattr(binary.random, "randrange", lambda low, high: first - 1)
        found = binary._free_ports(5)
    assert first not in found
    assert len(set(found)) == 5


@pytest.mark.parametrize("mode", ["own", "shared"])
def test_two_workspaces_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    if mode == "shared":
        monkeypatch.setenv(network.NETWORK_VARIABLE, "shared")
    left, right = Workspace.open(tmp_path / "left"), Workspace.open(tmp_path / "right")
    with server.connect(left, "test") as one, server.connect(right, "test") as other:
        one.create("in_left", 4, "IP")
        other.create("in_right", 4, "IP")
        assert (one.collections(), other.collections()) == (["in_left"], ["in_right"])
        assert one.endpoint.uri != other.endpoint.uri
        _stopped_by_kill(left)
        assert other.collections() == ["in_right"]


def _stopped_by_kill(workspace: Workspace) -> None:
    """End supervisor and server at once, as a machine does that runs out of memory; nobody starts them again."""
    found = server.status(workspace)
    os.kill(int(found["supervisor_pid"]), signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(int(found["pid"])), 15, "Milvus to end with its supervisor")


@pytest.mark.long
def test_the_server_gone_in_a_build_is_a_sentence(workspace: Workspace) -> None:
    rows = 60_000
    vectors = np.random.default_rng(2).standard_normal((rows, 64), np.float32)
    with server.connect(workspace, "test") as engine:
        engine.create("kept", 64, "IP")
        engine.insert("kept", np.arange(rows), vectors, {})
        killer = threading.Timer(1.5, _stopped_by_kill, [workspace])
        killer.start()
        began = time.monotonic()
        with pytest.raises(UserError, match="ended or stopped answering while building HNSW: see `milvus status`"):
            engine.build("kept", "HNSW", {"M": 32, "efConstruction": 300}, "IP")
        assert 1 < time.monotonic() - began < 40
        killer.join()
    told: list[float] = []
    with server.connect(workspace, "next") as engine:
        built = engine.build("kept", "HNSW", {"M": 32, "efConstruction": 300}, "IP", lambda done, *_: told.append(done))
        assert built.indexed_rows == rows
    assert len(told) > 5, "a build of some seconds tells how far it is"
    assert told[0] < told[-1] == rows
