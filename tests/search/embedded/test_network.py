"""Milvus's inner ports ask for no password: nobody outside its own network reaches them, and SECURITY.md knows each."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.core.project import PROJECT
from pipeline.search.embedded import network, server
from pipeline.store.workspace import Workspace, read_json

pytestmark = pytest.mark.milvus
SECURITY = (PROJECT / "SECURITY.md").read_text()


def _tree(workspace: Workspace) -> list[psutil.Process]:
    supervisor = psutil.Process(int(server.status(workspace)["supervisor_pid"]))
    return [supervisor, *supervisor.children(recursive=True)]


def _ports(workspace: Workspace) -> dict[str, int]:
    return dict((read_json(server.home(workspace) / "server.json") or {})["ports"])


def _seen_from_here(workspace: Workspace) -> set[tuple[str, int]]:
    """List the sockets that the server's processes listen on in the network of this test."""
    pids = {process.pid for process in _tree(workspace)}
    found = psutil.net_connections("tcp")
    return {(c.laddr.ip, c.laddr.port) for c in found if c.status == psutil.CONN_LISTEN and c.pid in pids}


def _inside(workspace: Workspace) -> set[int]:
    """List the ports that anybody listens on in the server's network, as the kernel tells it (proc(5), state 0A)."""
    tables = (Path(f"/proc/{server.status(workspace)['pid']}/net") / name for name in ("tcp", "tcp6"))
    rows = (line.split() for table in tables for line in table.read_text().splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}


THREADED = """
import sys, threading
from pipeline.search.embedded import network
threading.Thread(target=threading.Event().wait, daemon=True).start()
try:
    getattr(network, sys.argv[1])(*map(int, sys.argv[2:]))
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize("call", [["enter"], ["join", str(os.getpid())]])
def test_a_process_of_several_threads_enters_no_network(call: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-c", THREADED, *call], capture_output=True, text=True, check=True)
    assert ended.stdout == "a process enters a network before it starts threads, and this one has 2 already\n"


@pytest.mark.parametrize("module", ["pipeline.search.embedded.enclosed", "pipeline.bench.load.client"])
def test_whoever_enters_a_network_imports_nothing_that_starts_threads(module: str) -> None:
    count = f"import os, {module}; print(len(os.listdir('/proc/self/task')))"
    ended = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True)
    assert ended.stdout == "1\n"


def test_one_port_is_open_and_it_is_on_this_machine_only(workspace: Workspace) -> None:
    if not network.may_enter():
        pytest.skip("this kernel gives no process a network of its own")
    with server.connect(workspace, "test") as engine:
        public = int(engine.endpoint.uri.rsplit(":", 1)[1])
        assert _seen_from_here(workspace) == {("127.0.0.1", public)}
        inside = _inside(workspace)
        assert len(inside) > 5
        for port in inside - {public}:
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} can be reached"
        assert "warning" not in server.status(workspace)


def test_where_the_network_is_shared_every_open_port_is_named_and_a_warning_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(network.NETWORK_VARIABLE, "shared")
    with server.connect(workspace, "test") as engine:
        assert engine.collections() == []
        names = {port: name for name, port in _ports(workspace).items()}
        unnamed = {port for _, port in _seen_from_here(workspace)} - set(names)
        assert not unnamed, f"listening, and in no list: {unnamed}"
        for name in names.values():
            assert f"`{name}`" in SECURITY, f"SECURITY.md does not say what {name} allows"
        assert server.status(workspace)["warning"] == network.OPEN_PORTS
