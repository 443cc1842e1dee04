"""Run a command and measure it: wall seconds, and the peak memory of its whole process tree, servers it started too."""

import contextlib
import os
import platform
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_SPARING = 20


@dataclass(frozen=True)
class Measured:
    """What a command answered and what it took."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int


def machine() -> str:
    """Name the machine that figures are of."""
    memory = psutil.virtual_memory().total / 1e9
    return f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB"


def _tree(root: psutil.Process, marker: str) -> set[psutil.Process]:
    """Find the processes under `root` and every one that names `marker`, but for this one."""
    tree = {root, *root.children(recursive=True)}
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if marker in " ".join(process.info["cmdline"] or []) or marker in (process.info["cwd"] or ""):
            tree.add(process)
    return tree - {psutil.Process()}


def _used(root: psutil.Process, marker: str) -> int:
    """Sum the proportional memory of the tree under `root` and of every process that names `marker`."""
    total = 0
    for process in _tree(root, marker):
        try:
            total += process.memory_full_info().pss
        except (psutil.Error, OSError):
            continue
    return total


def measure(arguments: list[str], workspace: Path, limit_s: float = 600, kill_after_s: float | None = None) -> Measured:
    """Run `python -m pipeline ARGUMENTS --workspace WORKSPACE --json`; `kill_after_s` kills it and its servers then."""
    command = [sys.executable, "-m", "pipeline", *arguments, "--workspace", str(workspace), "--json"]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, done = [0], threading.Event()

    def sample() -> None:
        root = psutil.Process(process.pid)
        while not done.is_set():
            began = time.monotonic()
            try:
                peak[0] = max(peak[0], _used(root, str(workspace)))
            except psutil.Error:
                return
            done.wait(max(1.0, _SPARING * (time.monotonic() - began)))  # counting gigabytes of pages takes a while

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        out, err = process.communicate(timeout=kill_after_s or limit_s)
    except subprocess.TimeoutExpired:
        if kill_after_s is None:
            raise
        _kill(psutil.Process(process.pid), str(workspace))
        out, err = process.communicate()
    finally:
        process.kill()
        done.set()
        sampler.join()
    return Measured(process.returncode, out, err, time.monotonic() - started, peak[0])


def _kill(root: psutil.Process, marker: str) -> None:
    """Kill the tree, and what the servers' supervisors start in its place meanwhile."""
    for _ in range(3):
        for process in _tree(root, marker):
            with contextlib.suppress(psutil.Error):
                process.kill()
