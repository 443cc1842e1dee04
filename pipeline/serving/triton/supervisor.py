"""The process that owns one workspace's Triton: starts it, restarts it, swaps it, stops it after the last lease.

Run as `python -m pipeline.serving.triton.supervisor FOLDER` by server.py; it answers through server.json.

triton/wanted.json   what is to be served: a repository's key; a new one is started beside the old one, and replaces it
triton/served/KEY/   that repository, as hard links, so that it can start again after another was exported
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pipeline.core.errors import UserError
from pipeline.search.embedded import server as milvus
from pipeline.search.embedded.leases import Lease, gate, holders
from pipeline.search.embedded.life import become_only, die_with_parent, is_ready, stop
from pipeline.search.embedded.restarts import Restarts
from pipeline.serving.ensemble.local import addresses
from pipeline.serving.triton.binary import PORTS, command, environment, put_together
from pipeline.store.workspace import Workspace, read_json, write_json

GRACE_VARIABLE = "CLICK_ROAD_TRITON_GRACE_S"
GRACE_S = 30.0
_READY_S = 90.0
_DRAIN_S = 3.0  # requests that are under way on a server that another took the place of
_RESTARTS, _WITHIN_S = 3, 300.0


@dataclass(frozen=True)
class TritonServer:
    """A tritonserver and what it serves."""

    process: subprocess.Popen[bytes]
    wanted: dict[str, Any]
    about: dict[str, Any]


def main(home: Path) -> int:
    """Serve until nobody holds a lease; give 0, or 1 where the server could not be started."""
    guard = become_only(home)
    if guard is None:
        return 0
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    workspace = Workspace.open(home.parent)
    backends, restarts, starts = put_together(home), Restarts(), list[float]()
    held: Lease | None = None
    try:
        while True:
            starts = [t for t in starts if time.monotonic() - t < _WITHIN_S] + [time.monotonic()]
            if len(starts) > _RESTARTS + 1:
                return _fail(home, f"it ended {_RESTARTS + 1} times within {_WITHIN_S / 60:.0f} minutes")
            try:
                held = held or _hold_milvus(workspace, home)
                running = _start(workspace, home, backends, guard, restarts)
            except (UserError, OSError) as error:
                return _fail(home, str(error))
            ended = _serve(workspace, home, backends, guard, running, stopping, restarts)
            if ended is None:
                return 0
            restarts.ended(ended)
    finally:
        if held is not None:
            held.release()


def _hold_milvus(workspace: Workspace, home: Path) -> Lease | None:
    if _wanted(home)["server"] != milvus.EMBEDDED.name:
        return None
    return milvus.lease(workspace, "Triton")


def _keep_milvus(workspace: Workspace, wanted: dict[str, Any]) -> None:
    """Start the embedded Milvus again where its own supervisor was killed too; requests are refused until then."""
    if wanted["server"] == milvus.EMBEDDED.name and not is_ready(milvus.home(workspace)):
        with suppress(UserError):  # tried again in a moment
            milvus.ensure(workspace, limit_s=20)


def _wanted(home: Path) -> dict[str, Any]:
    return dict(read_json(home / "wanted.json") or {})


def _fail(home: Path, reason: str) -> int:
    log = home / "logs" / "triton.log"
    write_json(home / "server.json", {"state": "failed", "error": f"Triton did not run: {reason}; see {log}."})
    return 1


def _start(workspace: Workspace, home: Path, backends: Path, guard: int, restarts: Restarts) -> TritonServer:
    """Start a server on what is wanted, wait until it is ready, and tell where it listens."""
    wanted, ours = _wanted(home), {"supervisor_pid": os.getpid(), "since": time.time()}
    if not is_ready(home):
        write_json(home / "server.json", {"state": "starting"} | ours | restarts.about())
    ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    log_path = home / "logs" / "triton.log"
    with log_path.open("ab") as log:
        begins = log.tell()
        process = subprocess.Popen(
            command(home / "served" / wanted["key"], backends, ports),
            cwd=home,
            env=environment(addresses(workspace, wanted["server"], wanted["features"])),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[guard],
            preexec_fn=die_with_parent,  # noqa: PLW1509  one call; a killed supervisor leaves no orphan
        )
    try:
        _wait(process, ports["http"])
    except BaseException as error:
        end(process)
        if isinstance(error, UserError):
            raise UserError(f"{error}{_why(log_path, begins)}") from error
        raise
    about = {"state": "ready", "pid": process.pid, "ports": ports, "key": wanted["key"], "ready_s": 0.0}
    about |= {name: f"127.0.0.1:{ports[name]}" for name in PORTS}
    about["ready_s"] = round(time.time() - ours["since"], 1)
    restarts.ready()
    write_json(home / "server.json", about | ours | {"since": time.time()} | restarts.about())
    return TritonServer(process, wanted, about)


def _free_ports(count: int) -> list[int]:
    """Find ports that are free on 127.0.0.1."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UserError(f"it ended with exit code {process.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2) as reply:
                if reply.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise UserError(f"it was not ready within {_READY_S:.0f} s")


def _why(log: Path, begins: int) -> str:
    """Give the last error that the server wrote since, '' where it wrote none."""
    with log.open("rb") as file:
        file.seek(begins)
        lines = file.read().decode(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("E")]  # Triton's own mark, of the first thing that went wrong
    return f" ({errors[0].partition('] ')[2].strip()[:300]})" if errors else ""


def _serve(
    workspace: Workspace,
    home: Path,
    backends: Path,
    guard: int,
    running: TritonServer,
    stopping: list[int],
    restarts: Restarts,
) -> int | None:
    """Watch server, leases and what is wanted; give None when it was stopped on purpose, its exit code when it died."""
    grace = float(os.environ.get(GRACE_VARIABLE, GRACE_S))
    last_held = time.monotonic()
    while running.process.poll() is None:
        if _wanted(home).get("key") != running.wanted["key"]:
            running = _swapped(workspace, home, backends, guard, running, restarts)
        if _is_held(home):
            last_held = time.monotonic()
            _keep_milvus(workspace, running.wanted)
        if stopping or time.monotonic() - last_held > grace:
            with gate(home):
                if stopping or not _is_held(home):
                    (home / "server.json").unlink(missing_ok=True)
                    (home / "pinned").unlink(missing_ok=True)
                    end(running.process)
                    return None
        time.sleep(0.25)
    _end_children(home)
    return running.process.returncode


def _swapped(
    workspace: Workspace, home: Path, backends: Path, guard: int, running: TritonServer, restarts: Restarts
) -> TritonServer:
    """Start what is wanted now beside the one that runs, and let that end what it is at; keep it where that fails."""
    try:
        fresh = _start(workspace, home, backends, guard, restarts)
    except (UserError, OSError) as error:
        write_json(home / "wanted.json", running.wanted)
        ours = {"supervisor_pid": os.getpid(), "since": time.time(), "error": f"The swap failed: {error}"}
        write_json(home / "server.json", running.about | ours)
        return running
    time.sleep(_DRAIN_S)
    end(running.process)
    return fresh


def _is_held(home: Path) -> bool:
    return bool(holders(home)) or (home / "pinned").exists()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server and the Python processes under it."""
    children: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    stop(process)
    for child in children:
        _kill(child)


def _end_children(home: Path) -> None:
    """End the Python processes of a server that died: they are this process's children then, or init's."""
    mark = str(home / "backends")
    for process in psutil.process_iter(["cmdline"]):
        if any(mark in part for part in process.info["cmdline"] or ()) and process.pid != os.getpid():
            _kill(process)


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
