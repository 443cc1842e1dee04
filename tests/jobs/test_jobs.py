"""A job outlives who started it, and whatever ends it, its end is told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.core.errors import StopEarly, UserError
from pipeline.core.workspace import Workspace
from pipeline.jobs import job as jobs
from pipeline.jobs.past import Past
from pipeline.jobs.process import running
from tests.conftest import ours, wait_for

LONG = ["ingest", "--clicks", "synthetic:2000000"]  # some seconds of work
SHORT = ["ingest", "--clicks", "synthetic:300"]


def _ended(job: jobs.Job) -> bool:
    return not job.alive


def _begun(job: jobs.Job) -> bool:
    return job.state == "running" and bool(job.progress)


def _cli(workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *arguments, "--workspace", str(workspace.root), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _put(workspace: Workspace) -> str:
    assert _cli(workspace, *SHORT).returncode == 0
    manifest = workspace.manifest("clicks")
    assert manifest is not None
    return str(manifest["key"])


def test_a_job_ends_with_its_result(workspace: Workspace) -> None:
    job = jobs.start(workspace, SHORT, "made-up clicks")
    assert job.state in ("queued", "running")
    wait_for(lambda: _ended(job), 60)
    assert job.state == "done"
    assert job.end["result"]["metrics"]["sessions"] == 300
    assert job.progress["fraction"] == 1
    assert job.about["command"].startswith("python -m pipeline ingest --clicks synthetic:300")


def test_a_bad_input_fails_with_its_sentence(workspace: Workspace) -> None:
    job = jobs.start(workspace, ["ingest", "--clicks", "nothing.csv"], "x")
    wait_for(lambda: _ended(job), 60)
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
    job = jobs.start(workspace, arguments, "x")
    wait_for(lambda: _ended(job), 60)
    assert (job.state, job.end["code"]) == ("failed", 2)
    assert sentence in str(job.error)
    assert job.as_dict()["error"] == job.error


def test_a_defect_before_it_begins_says_so(workspace: Workspace) -> None:
    with workspace.writing("clicks") as folder:
        (folder / "manifest.json").write_text('{"metrics": 3}')  # nobody but us writes that
    job = jobs.start(workspace, ["status"], "x")
    wait_for(lambda: _ended(job), 60)
    assert (job.state, job.end["code"]) == ("failed", 1)
    assert str(job.error).startswith("A defect of the program")


def test_a_command_that_does_not_write_ends_with_its_answer(workspace: Workspace) -> None:
    job = jobs.start(workspace, ["data", "list"], "x")
    wait_for(lambda: _ended(job), 60)
    assert (job.state, job.error) == ("done", None)
    assert job.end["result"]["data"]


def test_one_that_cannot_be_started_says_so(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="could not be started .Argument list too long"):
        jobs.start(workspace, ["ingest", "--clicks", "x" * 300_000], "x")
    (job,) = jobs.jobs(workspace)
    assert (job.state, "could not be started" in str(job.error)) == ("failed", True)


def test_a_step_that_ends_well_is_the_measure_of_the_next_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("pipeline.jobs.process.time.time", lambda: clock[0])

    def train(*, until: int, of: str = "session") -> jobs.Job:
        with running(workspace, "train", steps=2) as job:
            report = job.progress("train", of)
            report(0, 4)
            for done in range(1, until + 1):
                clock[0] += 10.0
                report(done, 4)
            later = job.later("bench")
            assert job.job.progress["stage"] == "train"
            later(0, 1)
            assert job.job.progress["stage"] == "bench"
        return job.job

    train(until=4, of="other")
    assert not Past(workspace).knows("train session")
    train(until=4)
    assert Past(workspace).expected("train session") == pytest.approx(40.0)
    assert not Past(workspace).knows("bench")
    with running(workspace, "train") as job:
        report = job.progress("train", "session")
        assert job.job.progress["left_s"] == pytest.approx(40.0)
        (job.job.folder / "stop").touch()
        clock[0] += 1.0
        with pytest.raises(StopEarly):
            report(1, 4)
    assert Past(workspace).expected("train session") == pytest.approx(40.0)


def test_the_bar_of_a_step_never_runs_backwards(workspace: Workspace) -> None:
    with running(workspace, "train") as job:
        report, shown = job.progress("train"), []
        for done, total in ((2, 10), (10, 11), (11, 20), (5, 30), (20, 20)):
            time.sleep(0.26)  # reports are written four times a second
            report(done, total)
            shown.append(job.job.progress["fraction"])
    assert shown == sorted(shown)
    assert shown[-1] == 1


def _run(workspace: Workspace, of: jobs.Job, alive: int) -> subprocess.CompletedProcess[str]:
    """Run what a started job's process runs."""
    command = [sys.executable, "-m", "pipeline", *SHORT, "--workspace", str(workspace.root), "--json"]
    environment = os.environ | {jobs.JOB_VARIABLE: str(of.folder)}
    return subprocess.run(
        command, env=environment, pass_fds=[alive], capture_output=True, text=True, timeout=120, check=False
    )


def test_cancelled_before_there_is_a_process_it_never_begins(workspace: Workspace) -> None:
    job, alive = jobs.create(workspace, "x", "")
    jobs.cancel(job, grace_s=0.2)  # nobody is ended: there is no process yet, and we live
    assert _run(workspace, job, alive).returncode == 130
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


def test_cancelled_at_once_only_the_job_ends(workspace: Workspace) -> None:
    for _ in range(100):
        job = jobs.start(workspace, ["status"], "at once")
        jobs.cancel(job)
        assert (job.state, job.error) == ("cancelled", jobs.CANCELLED)
    assert {j.state for j in jobs.jobs(workspace)} == {"cancelled"}
    listed = json.loads(_cli(workspace, "jobs", "list").stdout.splitlines()[-1])["jobs"]
    assert len(listed) == jobs.KEPT
    assert {(entry["state"], entry["error"]) for entry in listed} == {("cancelled", jobs.CANCELLED)}
    wait_for(lambda: not ours(str(workspace.root)), 10, "all of them to be gone")


def test_cancelled_it_leaves_what_was_there(workspace: Workspace) -> None:
    key = _put(workspace)
    job = jobs.start(workspace, LONG, "long")
    wait_for(lambda: _begun(job), 60)
    jobs.cancel(job)
    assert job.state == "cancelled"
    assert (workspace.manifest("clicks") or {})["key"] == key
    with pytest.raises(UserError, match="is cancelled: there is nothing to cancel"):
        jobs.cancel(job)
    with pytest.raises(UserError, match="is cancelled: there is nothing to stop"):
        jobs.stop(job)


def test_asked_to_stop_a_training_is_told_once(workspace: Workspace) -> None:
    with running(workspace, "train") as job:
        progress = job.progress("train")
        jobs.stop(job.job)
        with pytest.raises(StopEarly):
            progress(2, 2)
        progress(2, 2)


def test_asked_to_stop_when_the_training_has_just_ended_what_follows_goes_on(workspace: Workspace) -> None:
    with running(workspace, "run", steps=2) as job:
        job.progress("train")(1, 1)
        jobs.stop(job.job)
        job.progress("embed")(1, 1)
    assert job.job.end["state"] == "done"


def _kill(workspace: Workspace) -> None:
    key = _put(workspace)
    job = jobs.start(workspace, LONG, "long")
    wait_for(lambda: _begun(job), 60)
    os.kill(int(job.about["pid"]), signal.SIGKILL)
    wait_for(lambda: _ended(job), 20)
    assert (job.state, job.error) == ("killed", jobs.KILLED)
    assert (workspace.manifest("clicks") or {})["key"] == key
    assert _cli(workspace, *SHORT).returncode == 0  # the next writer is let in, and sweeps
    assert len(list((workspace.root / ".store").iterdir())) == 1


def test_killed_it_leaves_what_was_there_and_lets_the_next_in(workspace: Workspace) -> None:
    _kill(workspace)


@pytest.mark.long
@pytest.mark.parametrize("nth", range(10))
def test_ten_killed_jobs(workspace: Workspace, nth: int) -> None:
    _kill(workspace)


def test_a_second_writer_is_refused_by_name_and_age(workspace: Workspace) -> None:
    job = jobs.start(workspace, LONG, "a long reading")
    wait_for(lambda: _begun(job), 60)
    refused = _cli(workspace, *SHORT)
    assert refused.returncode == 2
    sentence = json.loads(refused.stdout.splitlines()[-1])["error"]
    assert f"job {job.id} ('a long reading') has been running for" in sentence
    assert f"jobs cancel {job.id}" in sentence
    jobs.cancel(job)


def test_jobs_queue_in_order(workspace: Workspace) -> None:
    first = jobs.start(workspace, LONG, "first")
    wait_for(lambda: _begun(first), 60)
    second = jobs.start(workspace, SHORT, "second")
    third = jobs.start(workspace, ["ingest", "--clicks", "synthetic:301"], "third")
    assert (second.state, third.state) == ("queued", "queued")
    jobs.cancel(first)
    wait_for(lambda: _ended(third), 60)
    assert [second.state, third.state] == ["done", "done"]
    assert (workspace.manifest("clicks") or {})["metrics"]["sessions"] == 301


def test_a_queued_job_can_be_cancelled(workspace: Workspace) -> None:
    first = jobs.start(workspace, LONG, "first")
    wait_for(lambda: _begun(first), 60)
    waiting = jobs.start(workspace, SHORT, "waiting")
    jobs.cancel(waiting)
    assert waiting.state == "cancelled"
    assert waiting.error == jobs.CANCELLED
    assert first.alive
    jobs.cancel(first)


def test_it_outlives_who_started_it(workspace: Workspace) -> None:
    code = (
        "import sys, os; from pipeline.jobs.job import start; from pipeline.core.workspace import Workspace;"
        "print(start(Workspace.open(sys.argv[1]), sys.argv[2:], 'x').id, flush=True); os.kill(os.getpid(), 9)"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code, str(workspace.root), *LONG], capture_output=True, text=True, check=False
    )
    job = jobs.job(workspace, parent.stdout.strip())
    wait_for(lambda: _begun(job), 60)
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


def test_ctrl_c_is_a_cancel_with_its_own_exit_code(workspace: Workspace, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", *LONG, "--workspace", str(workspace.root), "--json"]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        wait_for(lambda: bool(jobs.jobs(workspace)) and _begun(jobs.jobs(workspace)[0]), 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert "Cancelled" in (tmp_path / "out").read_text()
    assert not list((workspace.root / ".store").iterdir())
