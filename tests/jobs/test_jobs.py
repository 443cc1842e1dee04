"""A job outlives who started it, and whatever ends it, its end is told."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from pipeline.core.errors import UserError
from pipeline.jobs import job as jobs
from pipeline.store.workspace import Workspace
from tests.conftest import wait_for
from tests.jobs.commands import LONG, SHORT, begun, ended, put, run


def test_a_job_ends_with_its_result(workspace: Workspace) -> None:
    job = jobs.start_job(workspace, SHORT, "made-up clicks")
    assert job.state in ("queued", "running")
    wait_for(lambda: ended(job), 60)
    assert job.state == "done"
    assert job.end["result"]["metrics"]["sessions"] == 300
    assert job.progress["fraction"] == 1
    assert job.about["command"].startswith("python -m pipeline ingest --clicks synthetic:300")


def test_a_bad_input_fails_with_its_sentence(workspace: Workspace) -> None:
    job = jobs.start_job(workspace, ["ingest", "--clicks", "nothing.csv"], "x")
    wait_for(lambda: ended(job), 60)
    assert job.state == "failed"
    assert "There is no file" in job.end["error"]
    assert job.end["code"] == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["index", "build", "--label", "My label"], "The label 'My label' is not up to 30 of a to z"),
        (["index", "build", "--colour", "red"], "The command could not be read: No such option: --colour"),
    ],
)
def test_what_is_refused_before_it_begins_says_why(workspace: Workspace, arguments: list[str], sentence: str) -> None:
    job = jobs.start_job(workspace, arguments, "x")
    wait_for(lambda: ended(job), 60)
    assert (job.state, job.end["code"]) == ("failed", 2)
    assert sentence in str(job.error)
    assert job.as_dict()["error"] == job.error


def test_a_defect_before_it_begins_says_so(workspace: Workspace) -> None:
    with workspace.writing("clicks") as folder:
        (folder / "manifest.json").write_text('{"metrics": 3}')  # nobody but us writes that
    job = jobs.start_job(workspace, ["status"], "x")
    wait_for(lambda: ended(job), 60)
    assert (job.state, job.end["code"]) == ("failed", 1)
    assert str(job.error).startswith("A defect of the program")


def test_a_command_that_does_not_write_ends_with_its_answer(workspace: Workspace) -> None:
    job = jobs.start_job(workspace, ["data", "list"], "x")
    wait_for(lambda: ended(job), 60)
    assert (job.state, job.error) == ("done", None)
    assert job.end["result"]["data"]


def test_one_that_cannot_be_started_says_so(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="could not be started .Argument list too long"):
        jobs.start_job(workspace, ["ingest", "--clicks", "x" * 300_000], "x")
    (job,) = jobs.jobs(workspace)
    assert (job.state, "could not be started" in str(job.error)) == ("failed", True)


def test_it_outlives_who_started_it(workspace: Workspace) -> None:
    code = (
        "import sys, os; from pipeline.jobs.job import start_job; from pipeline.store.workspace import Workspace;"
        "print(start_job(Workspace.open(sys.argv[1]), sys.argv[2:], 'x').id, flush=True); os.kill(os.getpid(), 9)"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code, str(workspace.root), *LONG], capture_output=True, text=True, check=False
    )
    job = jobs.job(workspace, parent.stdout.strip())
    wait_for(lambda: begun(job), 60)
    assert psutil.pid_exists(int(job.about["pid"]))
    jobs.cancel(job)
    assert job.state == "cancelled"


def test_old_jobs_are_forgotten(workspace: Workspace) -> None:
    for n in range(5):
        _, alive = jobs.create(workspace, f"job {n}", "")
        os.close(alive)
    jobs.prune(workspace, kept=2)
    assert [j.title for j in jobs.jobs(workspace)] == ["job 4", "job 3"]


def test_an_unknown_job_is_a_sentence(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="There is no job '7'"):
        jobs.job(workspace, "7")
    with pytest.raises(UserError, match="There is no job"):
        jobs.job(workspace, "../x")


def _kill(workspace: Workspace) -> None:
    key = put(workspace)
    job = jobs.start_job(workspace, LONG, "long")
    wait_for(lambda: begun(job), 60)
    os.kill(int(job.about["pid"]), signal.SIGKILL)
    wait_for(lambda: ended(job), 20)
    assert (job.state, job.error) == ("killed", jobs.KILLED)
    assert (workspace.manifest("clicks") or {})["key"] == key
    assert run(workspace, *SHORT).returncode == 0  # the next writer is let in, and sweeps
    assert len(list((workspace.root / ".store").iterdir())) == 1


def test_killed_it_leaves_what_was_there_and_lets_the_next_in(workspace: Workspace) -> None:
    _kill(workspace)


@pytest.mark.long
@pytest.mark.parametrize("nth", range(10))
def test_ten_killed_jobs(workspace: Workspace, nth: int) -> None:
    _kill(workspace)
