"""The steps of a job: how far they are, how long they took, and a training that is asked to stop."""

import time

import pytest

from pipeline.core.errors import StopEarly
from pipeline.jobs import job as jobs
from pipeline.jobs.past import Past
from pipeline.jobs.process import running
from pipeline.store.workspace import Workspace


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


def test_asked_to_stop_a_training_is_told_once(workspace: Workspace) -> None:
    with running(workspace, "train") as job:
        progress = job.progress("train")
        jobs.stop_job(job.job)
        with pytest.raises(StopEarly):
            progress(2, 2)
        progress(2, 2)


def test_asked_to_stop_when_the_training_has_just_ended_what_follows_goes_on(workspace: Workspace) -> None:
    with running(workspace, "run", steps=2) as job:
        job.progress("train")(1, 1)
        jobs.stop_job(job.job)
        job.progress("embed")(1, 1)
    assert job.job.end["state"] == "done"
