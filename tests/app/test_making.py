"""A page knows which job makes what it waits for, by the job's command."""

import os
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.making import makes
from pipeline.jobs.job import create
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace, write_json

PAGES = Path(__file__).resolve().parents[2] / "pages"
MADE = ("clicks", "data", "models", "vectors", "indexes", "evaluation", "maps", "bench")


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("run --clicks shop", MADE[:-1]),
        ("ingest --clicks shop", ("clicks",)),
        ("train --model session", ("models",)),
        ("index build --index HNSW", ("indexes",)),
        ("index release items-session-hnsw", ()),
        ("vectors import mine.npy --name mine", ("vectors",)),
        ("bench --preset quick", ("bench",)),
        ("bench tune --recall 0.95", ("bench",)),
        ("bench quality --run 1", ()),
        ("trainings use session-1", ()),
    ],
)
def test_what_a_job_makes_follows_from_its_command(workspace: Workspace, command: str, made: tuple[str, ...]) -> None:
    job, alive = create(workspace, "a job", f"python -m pipeline {command} --workspace /w")
    os.close(alive)
    assert tuple(what for what in MADE if makes(job, what)) == made


@pytest.mark.parametrize(
    ("page", "command", "missing"),
    [
        ("data", "ingest --clicks shop", "There are no clicks yet"),
        ("train", "preprocess", "There are no sessions to train on yet"),
        ("index", "vectors import mine.npy --name mine", "There are no vectors to index yet"),
        ("recommend", "train", "Recommendations need a trained model"),
        ("map", "train", "There is no trained model yet"),
        ("benchmark", "bench --preset quick", "Nothing has been measured here yet"),
    ],
)
def test_what_is_missing_is_being_made_while_a_job_makes_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, page: str, command: str, missing: str
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    drawn = AppTest.from_file(str(PAGES / f"{page}.py"), default_timeout=60)
    job, alive = create(workspace, "the job", f"python -m pipeline {command}")
    (job.folder / "started").touch()
    write_json(job.folder / "progress.json", {"stage": "the stage", "step": 1, "steps": 1, "fraction": 0.5})
    assert "The job below" in _said(drawn)
    assert "the stage" in _said(drawn)
    assert missing not in _said(drawn)
    os.close(alive)
    assert "The job below" not in _said(drawn)
    assert missing in _said(drawn)


def _said(page: AppTest) -> str:
    assert not page.run().exception
    return "\n".join(shown.value for shown in [*page.markdown, *page.caption])
