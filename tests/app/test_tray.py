"""The tray of jobs says how each job ended, and its Cancel ends the job and nothing else."""

import os
import re

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.jobs import job as jobs
from pipeline.jobs.past import Past
from pipeline.jobs.process import running
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace, write_json


def _tray() -> None:
    from app import tray

    tray.show()


@pytest.fixture
def tray(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    return AppTest.from_function(_tray, default_timeout=30)


def _ended(workspace: Workspace, **end: object) -> jobs.Job:
    job, alive = jobs.create(workspace, "build HNSW", "")
    os.close(alive)
    if end:
        write_json(job.folder / "end.json", end)
    return job


def _said(tray: AppTest) -> list[str]:
    assert not tray.run().exception
    return [
        f"{box.label}: {box.markdown[0].value}" for box in tray.status
    ]  # what AppTest calls an expander with an icon


def test_it_says_why_the_newest_job_has_no_result(workspace: Workspace, tray: AppTest) -> None:
    assert _said(tray) == []
    _ended(workspace, state="failed", code=2, error="The label 'My label' is not one.")
    assert _said(tray) == ["build HNSW: failed: The label 'My label' is not one."]
    (_ended(workspace).folder / "cancel").touch()
    assert _said(tray) == [f"build HNSW: cancelled: {jobs.CANCELLED}"]
    _ended(workspace)
    assert _said(tray) == [f"build HNSW: killed: {jobs.KILLED}"]
    with running(workspace, "train"):
        pass
    assert _said(tray) == []


def test_cancel_pressed_as_a_job_starts_ends_the_job_and_not_the_app(workspace: Workspace, tray: AppTest) -> None:
    job = jobs.start_job(workspace, ["ingest", "--clicks", "synthetic:2000000"], "a job")
    assert not tray.run().exception
    next(button for button in tray.button if button.label == "Cancel").click().run()
    assert (job.state, job.error) == ("cancelled", jobs.CANCELLED)
    assert _said(tray) == [f"a job: cancelled: {jobs.CANCELLED}"]


def _captions(tray: AppTest) -> str:
    assert not tray.run().exception
    return "\n".join(caption.value for caption in tray.caption)


def test_a_job_waits_only_where_another_is_before_it(workspace: Workspace, tray: AppTest) -> None:
    _, alive = jobs.create(workspace, "build HNSW", "")
    assert "waits" not in _captions(tray)
    assert "starting" in _captions(tray)
    _, second_alive = jobs.create(workspace, "train", "")
    assert _captions(tray).count("waits for build HNSW") == 1
    os.close(alive)
    assert "waits" not in _captions(tray)
    os.close(second_alive)


def test_time_left_is_told_from_what_the_last_one_took_and_never_0(workspace: Workspace, tray: AppTest) -> None:
    Past(workspace).took("train session", 1.0, 90.0)
    with running(workspace, "train", steps=2) as job:
        report = job.progress("train", "session")
        assert re.search(r"1 min( \d+ s)? left of this step", _captions(tray))
        report(10, 10)
        assert " left" not in _captions(tray)
        told = job.job.progress
        write_json(job.job.folder / "progress.json", told | {"left_s": 20.0, "at": told["at"] - 60, "done": 5})
        assert "longer than estimated" in _captions(tray)
