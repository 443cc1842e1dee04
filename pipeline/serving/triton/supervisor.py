"""The process that owns one workspace's Triton: starts it, restarts it, swaps it, stops it after the last lease.

Run as `python -m pipeline.serving.triton.supervisor FOLDER` by server.py; it answers through server.json.

triton/wanted.json   what is to be served: a repository's key; a new one is started beside the old one, and replaces it
triton/served/KEY/   that repository, as hard links, so that it can start again after another was exported
"""

import os
import re
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
from pipeline.search.embedded.leases import Lease, gate
from pipeline.search.embedded.life import become_only, die_with_parent, is_held, is_ready, stop
from pipeline.search.embedded.restarts import Restarts
from pipeline.serving.ensemble.local import addresses
from pipeline.serving.triton.binary import PORTS, command, environment, put_together
from pipeline.store.workspace import Workspace, read_json, write_json

GRACE_VARIABLE = "CLICK_ROAD_TRITON_GRACE_S"
GRACE_S = 30.0
_READY_S = 240.0  # 11 s on idle cores; beside trainings and their servers it took over 90
_DRAIN_S = 3.0  # requests that are under way on a server that another took the place of
_NO_GPU = re.compile("CudaDriverHelper|NVML|DCGM")  # what it says on any machine without one
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
    life = _Life(home, guard)
    signal.signal(signal.SIGTERM, lambda number, frame: life.stopping.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    starts: list[float] = []
    try:
        while True:
            starts = [t for t in starts if time.monotonic() - t < _WITHIN_S] + [time.monotonic()]
            if len(starts) > _RESTARTS + 1:
                return life.fail(f"it ended {_RESTARTS + 1} times within {_WITHIN_S / 60:.0f} minutes")
            try:
                running = life.start()
            except (UserError, OSError) as error:
                return life.fail(str(error))
            ended = life.serve(running)
            if ended is None:
                return 0
            life.restarts.ended(ended)
    finally:
        if life.milvus is not None:
            life.milvus.release()


class _Life:
    """One supervisor's: what it starts servers with, and what it knows of them."""

    def __init__(self, home: Path, guard: int) -> None:
        self.home, self.guard = home, guard
        self.workspace = Workspace.open(home.parent)
        self.backends = put_together(home)
        self.restarts = Restarts("Triton", kept="")
        self.stopping: list[int] = []
        self.milvus: Lease | None = None

    def wanted(self) -> dict[str, Any]:
        """Read what is to be served."""
        return dict(read_json(self.home / "wanted.json") or {})

    def tell(self, about: dict[str, Any]) -> None:
        """Write what is so of the server, and of this supervisor."""
        ours = {"supervisor_pid": os.getpid(), "since": time.time()}
        write_json(self.home / "server.json", ours | self.restarts.about() | about)

    def fail(self, reason: str) -> int:
        """Write why nothing runs; give the exit code."""
        log = self.home / "logs" / "triton.log"
        write_json(self.home / "server.json", {"state": "failed", "error": f"Triton did not run: {reason}; see {log}."})
        return 1

    def start(self) -> TritonServer:
        """Start a server on what is wanted, wait until it is ready, and tell where it listens."""
        wanted, began = self.wanted(), time.monotonic()
        if not is_ready(self.home):
            self.tell({"state": "starting"})
        self.keep_milvus(wanted)
        ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        log_path = self.home / "logs" / "triton.log"
        with log_path.open("ab") as log:
            begins = log.tell()
            process = subprocess.Popen(
                command(self.home / "served" / wanted["key"], self.backends, ports),
                cwd=self.home,
                env=environment(addresses(self.workspace, wanted["server"], wanted["features"])),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.guard],
                preexec_fn=die_with_parent,  # noqa: PLW1509  one call; a killed supervisor leaves no orphan
            )
        try:
            _wait(process, ports["http"])
        except BaseException as error:
            end(process)
            if isinstance(error, UserError):
                raise UserError(f"{error}{_why(log_path, begins)}") from error
            raise
        addressed = {name: f"127.0.0.1:{ports[name]}" for name in PORTS}
        ready_s = round(time.monotonic() - began, 1)
        about = {"state": "ready", "pid": process.pid, "key": wanted["key"], "ready_s": ready_s, **addressed}
        self.restarts.ready()
        self.tell(about)
        return TritonServer(process, wanted, about)

    def keep_milvus(self, wanted: dict[str, Any]) -> None:
        """Hold the embedded Milvus where the ensemble asks it; start it again where its supervisor was killed too."""
        if wanted["server"] != milvus.EMBEDDED.name:
            return
        if self.milvus is None:
            self.milvus = milvus.lease(self.workspace, "Triton")
        elif not is_ready(milvus.home(self.workspace)):
            milvus.ensure(self.workspace, limit_s=20)

    def serve(self, running: TritonServer) -> int | None:
        """Watch server, leases and what is wanted; give None when it was stopped on purpose, else its exit code."""
        grace = float(os.environ.get(GRACE_VARIABLE, GRACE_S))
        last_held = time.monotonic()
        while running.process.poll() is None:
            if self.wanted().get("key") != running.wanted["key"]:
                running = self.swapped(running)
            if is_held(self.home):
                last_held = time.monotonic()
                with suppress(UserError):  # requests are refused until Milvus is back; it is tried again in a moment
                    self.keep_milvus(running.wanted)
            if self.stopping or time.monotonic() - last_held > grace:
                with gate(self.home):
                    if self.stopping or not is_held(self.home):
                        (self.home / "server.json").unlink(missing_ok=True)
                        (self.home / "pinned").unlink(missing_ok=True)
                        end(running.process)
                        return None
            time.sleep(0.25)
        _end_children(self.home)
        return running.process.returncode

    def swapped(self, running: TritonServer) -> TritonServer:
        """Start what is wanted beside the one that runs, and let that end what it is at; keep it where that fails."""
        try:
            fresh = self.start()
        except (UserError, OSError) as error:
            self.tell(running.about | {"error": f"The swap failed: {error}"})
            write_json(self.home / "wanted.json", running.wanted)
            return running
        time.sleep(_DRAIN_S)
        end(running.process)
        return fresh


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
    errors = [line for line in lines if line.startswith("E") and not _NO_GPU.search(line)]  # the mark of Triton's own
    return f" ({errors[0].partition('] ')[2].strip()[:300]})" if errors else ""


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
