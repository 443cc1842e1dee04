"""What the lives of supervised servers have in common: one supervisor a folder, ready or not, no orphan.

FOLDER/supervisor.lock   held by the supervisor and by the server under it
FOLDER/server.json       what the supervisor says of the server: state, pid, supervisor_pid, where it listens
"""

import ctypes
import signal
import subprocess
import time
from pathlib import Path

import psutil

from pipeline.store.locks import is_locked, try_lock
from pipeline.store.workspace import read_json

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # found while there is one thread: between fork and exec of several nothing is looked up


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
