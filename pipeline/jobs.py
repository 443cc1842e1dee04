"""A job: a command that a person could type, in a process of its own, that outlives the page which started it.

jobs/ID/job.json       title, command, pid, when it was made
jobs/ID/alive          locked while its process lives, so a killed one is never taken for a running one
jobs/ID/progress.json  stage, how far, time left          jobs/ID/curve.jsonl  points of a live curve
jobs/ID/stop           a training that finds it ends early and keeps its best
jobs/ID/log.txt        what it said                       jobs/ID/end.json     state, result or error
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from pipeline.errors import UserError
from pipeline.locks import is_locked, lock
from pipeline.workspace import Workspace, read_json, write_json

State = Literal["queued", "running", "done", "failed", "cancelled", "killed"]
KEPT = 60  # jobs whose logs are kept
JOB_VARIABLE = "PIPELINE_JOB"
_PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Job:
    """A job as its folder tells it."""

    folder: Path

    @property
    def id(self) -> str:
        """Give the number that the command line takes."""
        return self.folder.name

    @property
    def about(self) -> dict[str, Any]:
        """Read title, command, pid and created (Unix seconds)."""
        return read_json(self.folder / "job.json") or {"title": "?", "command": "", "created": 0.0}

    @property
    def title(self) -> str:
        """Say what the job does, in a few words."""
        return str(self.about["title"])

    @property
    def progress(self) -> dict[str, Any]:
        """Read stage, step, steps, done, total, text, started, left_s and fraction; empty before the first report."""
        return read_json(self.folder / "progress.json") or {}

    @property
    def end(self) -> dict[str, Any]:
        """Read state, error, result and ended; empty while the job lives, and for ever when it was killed."""
        return read_json(self.folder / "end.json") or {}

    @property
    def alive(self) -> bool:
        """Tell whether its process lives."""
        return is_locked(self.folder / "alive")

    @property
    def state(self) -> State:
        """Give the state that the folder and the process table agree on."""
        if self.alive:
            return "running" if (self.folder / "started").exists() else "queued"
        if end := self.end:
            return end["state"]
        return "cancelled" if (self.folder / "cancel").exists() else "killed"

    @property
    def age_s(self) -> float:
        """Give the seconds since it was made."""
        return time.time() - float(self.about["created"])

    def log(self, lines: int = 200) -> str:
        """Read the last lines of what the job said."""
        try:
            return "\n".join((self.folder / "log.txt").read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def curve(self) -> list[dict[str, float]]:
        """Read the points of the live curve, oldest first."""
        try:
            lines = (self.folder / "curve.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def as_dict(self) -> dict[str, Any]:
        """Give everything as one JSON object."""
        about = self.about
        return {
            "id": self.id,
            "state": self.state,
            "title": about["title"],
            "command": about["command"],
            "age_s": round(self.age_s, 1),
            "progress": self.progress,
            "error": self.end.get("error"),
        }


def jobs(workspace: Workspace) -> list[Job]:
    """List the jobs of a workspace, newest first."""
    folders = [p for p in (workspace.root / "jobs").iterdir() if p.name.isdigit() and (p / "job.json").exists()]
    return [Job(p) for p in sorted(folders, key=lambda p: int(p.name), reverse=True)]


def job(workspace: Workspace, job_id: str) -> Job:
    """Find a job by its id, or raise UserError."""
    found = Job(workspace.root / "jobs" / job_id)
    if not job_id.isdigit() or not (found.folder / "job.json").exists():
        known = ", ".join(j.id for j in jobs(workspace)[:5]) or "none yet"
        raise UserError(f"There is no job '{job_id}' in {workspace.root}: the newest are {known}.")
    return found


def create(workspace: Workspace, title: str, command: str) -> tuple[Job, int]:
    """Make a job's folder; give it and the descriptor that keeps it alive."""
    base = workspace.root / "jobs"
    number = 1 + max((int(p.name) for p in base.iterdir() if p.name.isdigit()), default=0)
    while True:
        folder = base / str(number)
        try:
            folder.mkdir()
            break
        except FileExistsError:
            number += 1
    alive = lock(folder / "alive")
    write_json(folder / "job.json", {"title": title, "command": command, "created": time.time(), "pid": os.getpid()})
    return Job(folder), alive


def start(workspace: Workspace, arguments: Sequence[str], title: str) -> Job:
    """Start `python -m pipeline ARGUMENTS` as a job that waits its turn; come back at once."""
    shown = shlex.join(["python", "-m", "pipeline", *arguments, "--workspace", str(workspace.root)])
    created, alive = create(workspace, title, shown)
    command = [sys.executable, "-m", "pipeline", *arguments, "--workspace", str(workspace.root), "--json", "--wait"]
    try:
        with (created.folder / "log.txt").open("ab") as log, (created.folder / "stdout.txt").open("wb") as out:
            subprocess.Popen(
                command,
                cwd=_PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,  # a closed terminal or a stopped app does not end it
                pass_fds=[alive],  # the child holds the lock from its first moment
                env=os.environ | {JOB_VARIABLE: created.id, "PYTHONUNBUFFERED": "1"},
            )
    finally:
        os.close(alive)
    prune(workspace)
    return created


def cancel(target: Job, grace_s: float = 8.0) -> None:
    """Ask a job to stop, end its whole process tree after `grace_s` seconds; UserError where it no longer runs."""
    if not target.alive:
        raise UserError(f"Job {target.id} ('{target.title}') is {target.state}: there is nothing to cancel.")
    (target.folder / "cancel").touch()
    pid = int(target.about["pid"])
    try:
        tree = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
        os.kill(pid, signal.SIGTERM)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return
    deadline = time.monotonic() + grace_s
    while target.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    if target.alive:
        for process in tree:
            if process.is_running() and "pipeline.vectors.enclosed" not in process.cmdline():
                process.kill()


def stop(target: Job) -> None:
    """Ask a training to end now and keep its best; UserError where the job no longer runs."""
    if not target.alive:
        raise UserError(f"Job {target.id} ('{target.title}') is {target.state}: there is nothing to stop.")
    (target.folder / "stop").touch()


def prune(workspace: Workspace, kept: int = KEPT) -> None:
    """Forget the oldest jobs that have ended."""
    for old in jobs(workspace)[kept:]:
        if not old.alive:
            shutil.rmtree(old.folder, ignore_errors=True)
