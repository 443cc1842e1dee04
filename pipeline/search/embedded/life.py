"""What the lives of supervised servers have in common: one supervisor a folder, ready or not, no orphan.

FOLDER/supervisor.lock   held by the supervisor and by the server under it
FOLDER/server.json       what the supervisor says of the server: state, pid, supervisor_pid, where it listens
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.project import PROJECT
from pipeline.core.text import duration
from pipeline.search.embedded.leases import holders
from pipeline.store.locks import is_locked, try_lock
from pipeline.store.workspace import read_json

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # found while there is one thread: between fork and exec of several nothing is looked up


@dataclass(frozen=True)
class Supervised:
    """A kind of server that a supervisor owns: its name, its supervisor's module, and how long it usually starts."""

    name: str
    title: str
    """The name as a sentence begins with it."""
    module: str
    usual_start_s: float

    def ensure(
        self,
        home: Path,
        progress: Progress = silent,
        limit_s: float = 120.0,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Start the server if it does not run, and wait until it answers; the caller holds a lease.

        `variables` are of the supervisor's environment.
        """
        started = time.monotonic()
        supervisor: subprocess.Popen[bytes] | None = None
        while not is_ready(home):
            about = read_json(home / "server.json") or {}
            if supervisor is not None and supervisor.poll() == 1:
                log = home / "logs" / "supervisor.log"
                raise UserError(about.get("error") or f"{self.title} did not start: see {log}.")
            if supervisor is None and not is_locked(home / "supervisor.lock"):
                supervisor = self._spawn(home, variables or {})
            waited = time.monotonic() - started
            if waited > limit_s:
                raise UserError(f"{self.title} was not ready within {duration(limit_s)}: see {home / 'logs'}.")
            progress(min(waited, self.usual_start_s - 0.5), self.usual_start_s, f"starting {self.name}")
            if supervisor is not None and supervisor.poll() not in (None, 1):
                supervisor = None  # another one was first, or stopped as we came: look again
            time.sleep(0.1)

    def _spawn(self, home: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (home / "logs" / "supervisor.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self.module, str(home)],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **variables},
            )

    def unpin(self, home: Path) -> str:
        """End what a pin keeps; the server goes on while others hold it. Say in a sentence what happens."""
        if not is_locked(home / "supervisor.lock"):
            return f"{self.name} is not running."
        (home / "pinned").unlink(missing_ok=True)
        if held := holders(home):
            who = ", ".join(f"{h.get('what')} (pid {h.get('pid')})" for h in held)
            return f"{self.name} goes on for {who}, and stops 30 s after the last of them ends."
        if pid := (read_json(home / "server.json") or {}).get("supervisor_pid"):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)
        deadline = time.monotonic() + 20
        while is_locked(home / "supervisor.lock") and time.monotonic() < deadline:
            time.sleep(0.1)
        return f"{self.name} is stopped."


def is_held(home: Path) -> bool:
    """Tell whether somebody holds a lease, or has pinned the server."""
    return bool(holders(home)) or (home / "pinned").exists()


def become_only(home: Path) -> int | None:
    """Take the supervisor's lock, after a dying server if need be; None where another supervisor serves."""
    while (guard := try_lock(home / "supervisor.lock")) is None:
        if is_served(home):
            return None
        time.sleep(0.1)
    return guard


def is_served(home: Path) -> bool:
    """Tell whether a living supervisor starts or runs the server."""
    about = read_json(home / "server.json") or {}
    pid = int(about.get("supervisor_pid") or 0)
    return pid > 0 and lives(pid) and is_locked(home / "supervisor.lock")


def is_ready(home: Path) -> bool:
    """Tell whether the server answers now; between its death and its restart it does not, whatever was written."""
    about = read_json(home / "server.json") or {}
    return about.get("state") == "ready" and lives(int(about["pid"])) and is_served(home)


def lives(pid: int) -> bool:
    """Tell whether a process runs; a killed one stays as a zombie until whoever started it looks."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, between fork and exec."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server, by force where it takes longer than ten seconds."""
    server.terminate()
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
