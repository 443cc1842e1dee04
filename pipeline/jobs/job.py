"""A job: a command that a person could type, in a process of its own, that outlives the page which started it.

jobs/ID/job.json       title, command, when it was made
jobs/ID/process.json   the process that does it, once there is one: its pid, and when that began
jobs/ID/alive          locked while its process lives, so a killed one is never taken for a running one
jobs/ID/progress.json  stage, how far, time left          jobs/ID/curve.jsonl  points of a live curve
jobs/ID/stop           a training that finds it ends early and keeps its best
jobs/ID/cancel         it is asked to end                 jobs/ID/started      it waits no longer
jobs/ID/log.txt        what it said                       jobs/ID/end.json     state, exit code, result or error
"""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from pipeline.core.errors import UserError
from pipeline.core.project import PROJECT
from pipeline.store.locks import is_locked, lock
from pipeline.store.workspace import Workspace, read_json, write_json

State = Literal["queued", "running", "done", "failed", "cancelled", "killed"]
_ASK_EVERY_S = 1.0  # what a signal raises may be lost: see signals.py
KEPT = 60  # jobs whose logs are kept
JOB_VARIABLE = "PIPELINE_JOB"
CANCELLED = "Cancelled; earlier results are unchanged."
KILLED = "Its process was killed, from outside or for lack of memory; earlier results are unchanged."


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
        """Read title, command, created (Unix seconds) and, once a process does it, pid and begun (clock ticks)."""
        about = read_json(self.folder / "job.json") or {"title": "?", "command": "", "created": 0.0}
        return {**about, **(read_json(self.folder / "process.json") or {})}

    @property
    def title(self) -> str:
        """Say what the job does, in a few words."""
        return str(self.about["title"])

    @property
    def progress(self) -> dict[str, Any]:
        """Read what process.py reports: stage, text, fraction, left_s and more; empty before any report."""
        return read_json(self.folder / "progress.json") or {}

    @property
    def end(self) -> dict[str, Any]:
        """Read state, code, error, result and ended; empty while the job lives, and for ever when it was killed."""
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
    def error(self) -> str | None:
        """Say in a sentence why it has no result; None while it lives, and where it has one."""
        silent = {"cancelled": CANCELLED, "killed": KILLED}.get(self.state)
        return self.end.get("error") or silent

    def process(self) -> psutil.Process | None:
        """Give the process that does the job; None before there is one, and when it has ended."""
        about = self.about
        try:
            found = psutil.Process(about["pid"])
            return found if _begun(found.pid) == about["begun"] else None  # else another has its number now
        except (KeyError, OSError, psutil.NoSuchProcess):
            return None

    def done_by(self, pid: int) -> None:
        """Write down which process does the job; by the process itself, or by who started it."""
        write_json(self.folder / "process.json", {"pid": pid, "begun": _begun(pid)})

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
            "error": self.error,
            "exit_code": self.end.get("code"),
        }


def _begun(pid: int) -> int:
    """Give when a process began, in clock ticks since the machine did (proc(5)); OSError where there is none."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


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
    write_json(folder / "job.json", {"title": title, "command": command, "created": time.time()})
    return Job(folder), alive


def start_job(workspace: Workspace, arguments: Sequence[str], title: str) -> Job:
    """Start `python -m pipeline ARGUMENTS` as a job that waits its turn; come back at once."""
    shown = shlex.join(["python", "-m", "pipeline", *arguments, "--workspace", str(workspace.root)])
    created, alive = create(workspace, title, shown)
    command = [sys.executable, "-m", "pipeline", *arguments, "--workspace", str(workspace.root), "--json"]
    try:
        with (created.folder / "log.txt").open("ab") as log, (created.folder / "stdout.txt").open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,  # a closed terminal or a stopped app does not end it
                pass_fds=[alive],  # the child holds the lock from its first moment
                env=os.environ | {JOB_VARIABLE: str(created.folder), "PYTHONUNBUFFERED": "1"},
            )
        with contextlib.suppress(FileNotFoundError):  # it has ended, and was waited for, already
            created.done_by(process.pid)
    except OSError as error:
        told = f"The job could not be started ({error.strerror}): free memory or disk space, and start it again."
        write_json(created.folder / "end.json", {"state": "failed", "code": 2, "error": told, "ended": time.time()})
        raise UserError(told) from error
    finally:
        os.close(alive)
    prune(workspace)
    return created


def cancel(target: Job, grace_s: float = 8.0) -> None:
    """Ask a job to stop, end its whole process tree after `grace_s` seconds; UserError where it no longer runs."""
    if not target.alive:
        raise UserError(f"Job {target.id} ('{target.title}') is {target.state}: there is nothing to cancel.")
    (target.folder / "cancel").touch()  # one whose process only begins finds this
    tree: list[psutil.Process] = []
    asked, deadline = -_ASK_EVERY_S, time.monotonic() + grace_s
    while target.alive and (now := time.monotonic()) < deadline:
        if now - asked >= _ASK_EVERY_S and not target.end and (process := target.process()) is not None:
            asked, tree = now, tree or _tree(process)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        time.sleep(0.02)
    if target.alive:
        if (process := target.process()) is not None:
            tree += _tree(process)
        for one in dict.fromkeys(tree):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "pipeline.search.embedded.enclosed" not in one.cmdline():
                    one.kill()


def _tree(process: psutil.Process) -> list[psutil.Process]:
    """List a process and all below it."""
    try:
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return [process]


def stop_job(target: Job) -> None:
    """Ask a training to end now and keep its best; UserError where the job no longer runs."""
    if not target.alive:
        raise UserError(f"Job {target.id} ('{target.title}') is {target.state}: there is nothing to stop.")
    (target.folder / "stop").touch()


def prune(workspace: Workspace, kept: int = KEPT) -> None:
    """Forget the oldest jobs that have ended."""
    for old in jobs(workspace)[kept:]:
        if not old.alive:
            shutil.rmtree(old.folder, ignore_errors=True)
