"""A job that is asked to end, ends: before it begins, while it works, and where what asks it was lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.jobs import job as jobs
from pipeline.store.workspace import Workspace
from tests.conftest import ours, wait_for
from tests.jobs.commands import LONG, SHORT, begun, put, run


def as_job(workspace: Workspace, of: jobs.Job, alive: int) -> subprocess.CompletedProcess[str]:
    """Run what a started job's process runs."""
    command = [sys.executable, "-m", "pipeline", *SHORT, "--workspace", str(workspace.root), "--json"]
    environment = os.environ | {jobs.JOB_VARIABLE: str(of.folder)}
    return subprocess.run(
        command, env=environment, pass_fds=[alive], capture_output=True, text=True, timeout=120, check=False
    )


def test_cancelled_before_there_is_a_process_it_never_begins(workspace: Workspace) -> None:
    job, alive = jobs.create(workspace, "x", "")
    jobs.cancel(job, grace_s=0.2)  # nobody is ended: there is no process yet, and we live
    assert as_job(workspace, job, alive).returncode == 130
    os.close(alive)
    assert (job.state, job.error, job.end["code"]) == ("cancelled", jobs.CANCELLED, 130)
    assert workspace.manifest("clicks") is None


def test_a_number_that_another_process_has_now_is_not_signalled(workspace: Workspace) -> None:
    job, alive = jobs.create(workspace, "x", "")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        job.done_by(other.pid)
        assert job.process() is not None
        about = json.loads((job.folder / "process.json").read_text())
        (job.folder / "process.json").write_text(json.dumps(about | {"begun": about["begun"] - 1}))
        jobs.cancel(job, grace_s=0.2)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        os.close(alive)


def _cancel_at_once(workspace: Workspace, times: int) -> None:
    for _ in range(times):
        job = jobs.start_job(workspace, ["status"], "at once")
        jobs.cancel(job)
        assert (job.state, job.error) == ("cancelled", jobs.CANCELLED)
    listed = json.loads(run(workspace, "jobs", "list").stdout.splitlines()[-1])["jobs"]
    assert len(listed) == min(times, jobs.KEPT)
    assert {(entry["state"], entry["error"]) for entry in listed} == {("cancelled", jobs.CANCELLED)}
    wait_for(lambda: not ours(str(workspace.root)), 10, "all of them to be gone")


def test_cancelled_at_once_only_the_job_ends(workspace: Workspace) -> None:
    _cancel_at_once(workspace, 10)


@pytest.mark.long
def test_a_hundred_cancelled_at_once(workspace: Workspace) -> None:
    _cancel_at_once(workspace, 100)


def test_cancelled_it_leaves_what_was_there(workspace: Workspace) -> None:
    key = put(workspace)
    job = jobs.start_job(workspace, LONG, "long")
    wait_for(lambda: begun(job), 60)
    jobs.cancel(job)
    assert job.state == "cancelled"
    assert (workspace.manifest("clicks") or {})["key"] == key
    with pytest.raises(UserError, match="is cancelled: there is nothing to cancel"):
        jobs.cancel(job)
    with pytest.raises(UserError, match="is cancelled: there is nothing to stop"):
        jobs.stop_job(job)


def test_ctrl_c_is_a_cancel_with_its_own_exit_code(workspace: Workspace, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", *LONG, "--workspace", str(workspace.root), "--json"]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        wait_for(lambda: bool(jobs.jobs(workspace)) and begun(jobs.jobs(workspace)[0]), 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert "Cancelled" in (tmp_path / "out").read_text()
    assert not list((workspace.root / ".store").iterdir())


LOST = """
import os, signal, sys, time
from pipeline.store.workspace import Workspace
from pipeline.jobs.process import running

def signalled(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(3):  # the signal is heard here
        pass
    return 1

with running(Workspace.open(sys.argv[1]), "loses it") as job:
    report = job.progress("train")
    {loses}
    print("went on", flush=True)
    for done in range(100):
        report(done, 100)
        time.sleep(0.05)
"""
LOSES = {
    "Python, which drops what a finaliser raises": "type('Finalised', (), {'__del__': signalled})()",
    "pymilvus, which takes it for an answer": (
        "from pymilvus.client.entity_helper import entity_is_sparse_matrix;"
        "entity_is_sparse_matrix(type('Queries', (list,), {'__len__': signalled})())"
    ),
}


@pytest.mark.parametrize("who", LOSES)
def test_a_cancel_that_is_lost_is_heard_at_the_next_report(workspace: Workspace, who: str) -> None:
    """The second one is how a sweep was killed in place of cancelled: SIGTERM came while its requests were written."""
    command = [sys.executable, "-c", LOST.replace("{loses}", LOSES[who]), str(workspace.root)]
    lost = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (job,) = jobs.jobs(workspace)
    assert lost.stdout == "went on\n"
    assert (job.state, job.end["code"]) == ("cancelled", 130)
    assert job.progress["done"] == 0, "it went on no further than to its next report"


SWALLOWED = """
import sys, time
from pipeline.store.workspace import Workspace
from pipeline.jobs.process import running

with running(Workspace.open(sys.argv[1]), "swallows it") as job:
    try:
        job.progress("train")
        time.sleep(60)
    except Exception:
        pass
    time.sleep(60)
"""


def test_a_cancel_that_is_swallowed_is_asked_for_again(workspace: Workspace) -> None:
    swallows = subprocess.Popen([sys.executable, "-c", SWALLOWED, str(workspace.root)], stderr=subprocess.DEVNULL)
    wait_for(lambda: any(begun(job) for job in jobs.jobs(workspace)), 60)
    (job,) = jobs.jobs(workspace)
    jobs.cancel(job)
    swallows.wait(10)
    assert (job.state, job.end["code"]) == ("cancelled", 130)


CLEARS_UP = """
import sys, time
from pathlib import Path
from pipeline.store.workspace import Workspace
from pipeline.jobs.process import running

with running(Workspace.open(sys.argv[1]), "clears up") as job:
    report = job.progress("train")
    try:
        time.sleep(60)
    finally:
        for _ in range(25):  # cancelled once a second meanwhile
            report(1, 2)
            time.sleep(0.1)
        Path(sys.argv[2]).touch()
"""


def test_who_clears_up_after_a_cancel_is_left_to_it(workspace: Workspace, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLEARS_UP, str(workspace.root), str(tmp_path / "cleared")]
    clears = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(lambda: any(begun(job) for job in jobs.jobs(workspace)), 60)
    (job,) = jobs.jobs(workspace)
    jobs.cancel(job)
    clears.wait(10)
    assert (tmp_path / "cleared").exists()
    assert (job.state, job.end["code"]) == ("cancelled", 130)
