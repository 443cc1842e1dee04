"""Every training that ended is kept whole, serves again when it is chosen, and goes only when it is deleted."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.clicks import ClickSource
from pipeline.core.errors import UserError
from pipeline.core.stage import is_stale, run_stage
from pipeline.core.workspace import MANIFEST, Workspace
from pipeline.jobs.process import running
from pipeline.models import checkpoint
from pipeline.models.options import training_config
from pipeline.models.registry import PopularityConfig
from pipeline.training import archive, history
from pipeline.training.interrupted import checkpoint_path, interrupted
from pipeline.training.train import load_model, train
from pipeline.workflow import run
from tests.models.test_session import catalogue, clicks

MODEL = "itemknn"
STAGE = f"models/{MODEL}"


def _data(workspace: Workspace, source: str = "log.csv", sessions: int = 60) -> None:
    """Write what reading and splitting clicks leaves."""

    def data(folder: Path, report: Any) -> dict[str, Any]:
        (folder / "train").mkdir()
        clicks(sessions).write_parquet(folder / "train" / "part.parquet")
        catalogue().write_parquet(folder / "items.parquet")
        return {}

    run_stage(workspace, "clicks", ClickSource(f"/somewhere/{source}"), lambda folder, report: {})
    run_stage(workspace, "data", PopularityConfig(), data, inputs=["clicks"])


@pytest.fixture
def prepared(workspace: Workspace) -> Workspace:
    _data(workspace)
    return workspace


def _train(workspace: Workspace, **options: Any) -> str:
    """Train, and name the training."""
    train(workspace, MODEL, options)
    return next(t.name for t in history.list_trainings(workspace) if t.serves and t.model == MODEL)


def _cli(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = CliRunner().invoke(app, ["trainings", *arguments, "--workspace", str(workspace.root), "--json"])
    return ended.exit_code, json.loads(ended.stdout.splitlines()[-1])


def _neighbours(workspace: Workspace) -> int:
    return int((workspace.manifest(STAGE) or {})["config"]["neighbours"])


def test_every_training_is_listed_with_what_it_chose(prepared: Workspace) -> None:
    first = _train(prepared, neighbours=5)
    second = _train(prepared, neighbours=9, shrinkage=1.0)
    train(prepared, MODEL, {"neighbours": 9, "shrinkage": 1.0})  # unchanged: no other training
    code, answer = _cli(prepared, "list")
    assert code == 0
    rows = {row["name"]: row for row in answer["trainings"]}
    assert set(rows) == {first, second}
    assert rows[first]["options"] == {"neighbours": 5}
    assert rows[second]["options"] == {"neighbours": 9, "shrinkage": 1.0}
    assert [rows[first]["serves"], rows[second]["serves"]] == [False, True]
    assert {row["data"] for row in rows.values()} == {"log.csv"}
    assert all(row["current"] and row["bytes"] > 0 and row["epochs"] is None for row in rows.values())
    assert answer["bytes"] == sum(row["bytes"] for row in rows.values())


def test_one_that_serves_again_is_what_later_stages_see(prepared: Workspace) -> None:
    first = _train(prepared, neighbours=1)
    before = (prepared.manifest(STAGE) or {})["key"]
    _train(prepared, neighbours=9)
    run_stage(prepared, f"vectors/{MODEL}", PopularityConfig(), lambda f, r: {}, inputs=[STAGE])
    code, answer = _cli(prepared, "serve", first)
    assert (code, answer["training"], answer["model"]) == (0, first, MODEL)
    assert (prepared.manifest(STAGE) or {})["key"] == before
    assert is_stale(prepared, f"vectors/{MODEL}")
    load_model(prepared, MODEL)
    assert [t.serves for t in history.list_trainings(prepared)].count(True) == 1
    archive.delete(prepared, next(t.name for t in history.list_trainings(prepared) if not t.serves))
    load_model(prepared, MODEL)
    assert train(prepared, MODEL, {"neighbours": 1}).skipped
    prepared.sweep()
    assert history.find(prepared, first).serves


def test_run_without_options_keeps_what_was_chosen(prepared: Workspace) -> None:
    first = _train(prepared, neighbours=5)
    _train(prepared, neighbours=9)
    archive.serve(prepared, first)
    nothing = {"epochs": None}
    config = run.RoadConfig(ClickSource("log.csv"), model=MODEL, training=nothing)
    assert run._training(prepared, config) == {"neighbours": 5, "shrinkage": 20.0}
    given = run.RoadConfig(ClickSource("log.csv"), model=MODEL, training={"neighbours": 3})
    assert run._training(prepared, given) == {"neighbours": 3}
    _data(prepared, "other.csv", 80)  # a model of other sessions says nothing of these
    assert run._training(prepared, config) == nothing


def test_one_of_other_sessions_is_refused(prepared: Workspace) -> None:
    first = _train(prepared, neighbours=5)
    _data(prepared, "other.csv", 80)
    second = _train(prepared, neighbours=5)
    code, answer = _cli(prepared, "serve", first)
    assert code == 2
    assert "learned from other sessions (log.csv) than the workspace has now (other.csv)" in answer["error"]
    assert history.find(prepared, second).serves
    assert [history.find(prepared, name).current for name in (first, second)] == [False, True]


def test_a_ranker_serves_over_the_model_that_it_learned_with(prepared: Workspace) -> None:
    first = _train(prepared, neighbours=5)
    run_stage(prepared, "models/dlrm", PopularityConfig(), lambda f, r: {}, inputs=["data", STAGE])
    archive.keep(prepared, "models/dlrm")
    ranker = next(t.name for t in history.list_trainings(prepared) if t.model == "dlrm")
    _train(prepared, neighbours=9)
    with pytest.raises(UserError, match=f"run `trainings serve {first}` first"):
        archive.serve(prepared, ranker)
    archive.serve(prepared, first)
    archive.serve(prepared, ranker)
    _train(prepared, neighbours=9)
    archive.delete(prepared, first)
    with pytest.raises(UserError, match="train it anew"):
        archive.serve(prepared, ranker)


def test_what_is_deleted_comes_back_until_it_is_gone_for_good(prepared: Workspace) -> None:
    first, second = _train(prepared, neighbours=5), _train(prepared, neighbours=9)
    archive.set_aside(prepared, first)
    assert [t.name for t in history.list_trainings(prepared)] == [second]
    assert [t.name for t in history.deleted(prepared)] == [first]
    archive.bring_back(prepared, first)
    assert history.deleted(prepared) == []
    archive.serve(prepared, first)
    assert _neighbours(prepared) == 5
    assert _cli(prepared, "delete", second)[0] == 0
    with pytest.raises(UserError, match="gone for good"):
        archive.bring_back(prepared, second)
    code, answer = _cli(prepared, "delete", first)
    assert (code, "use another one first" in answer["error"]) == (2, True)
    code, answer = _cli(prepared, "delete", second)
    assert (code, "There is no training" in answer["error"]) == (2, True)


def test_what_is_set_aside_while_the_oldest_go_is_kept(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT", 0)
    first = _train(prepared, neighbours=5)
    known = archive.list_trainings

    def deleted_on_the_page(workspace: Workspace) -> list[history.Training]:
        found = known(workspace)
        monkeypatch.setattr(archive, "list_trainings", known)
        archive.set_aside(workspace, first)
        return found

    monkeypatch.setattr(archive, "list_trainings", deleted_on_the_page)
    second = _train(prepared, neighbours=9)  # lets the oldest go, which a page has just set aside
    archive.bring_back(prepared, first)
    assert {t.name for t in history.list_trainings(prepared)} == {first, second}


def test_nothing_is_deleted_for_good_while_a_job_writes(prepared: Workspace) -> None:
    first = _train(prepared, neighbours=5)
    _train(prepared, neighbours=9)
    with running(prepared, "train"):
        code, answer = _cli(prepared, "delete", first)
    assert (code, "The workspace is busy" in answer["error"]) == (2, True)
    assert history.find(prepared, first)


def test_the_newest_are_kept_and_the_one_that_serves(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT", 2)
    first = _train(prepared, neighbours=5)
    for neighbours in (6, 7):
        _train(prepared, neighbours=neighbours)
    archive.serve(prepared, first)
    archive.keep(prepared, STAGE)
    assert [t.options["neighbours"] for t in history.list_trainings(prepared)] == [7, 6, 5]
    _train(prepared, neighbours=8)
    assert [t.options["neighbours"] for t in history.list_trainings(prepared)] == [8, 7, 6]


def test_one_that_was_not_kept_before_is_kept_before_it_is_replaced(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.training.train.keep", lambda workspace, stage: None)  # as a version before did
        train(prepared, MODEL, {"neighbours": 5})
    _train(prepared, neighbours=9)
    assert [t.options["neighbours"] for t in history.list_trainings(prepared)] == [9, 5]


def test_a_training_appears_whole_or_not_at_all(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    _train(prepared, neighbours=5)
    half = prepared.root / history.FOLDER / ".fresh" / "model"
    half.mkdir(parents=True)  # what a kill leaves
    (half / MANIFEST).write_text("{}")
    assert len(history.list_trainings(prepared)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(archive, "write_json", _full)
        with pytest.raises(UserError, match="could not be kept .No space left.*the model is trained all the same"):
            train(prepared, MODEL, {"neighbours": 9})
    assert _neighbours(prepared) == 9
    assert len(history.list_trainings(prepared)) == 1
    _train(prepared, neighbours=9)  # kept by the next command
    assert len(history.list_trainings(prepared)) == 2


def _full(path: Path, value: Any) -> None:
    raise OSError(28, "No space left on device", str(path))


def test_figures_of_the_test_stay_beside_a_training(prepared: Workspace) -> None:
    first = _train(prepared, neighbours=5)
    archive.keep_figures(prepared, STAGE, {"recall@20": 0.5})
    _train(prepared, neighbours=9)
    assert history.find(prepared, first).tested == {"recall@20": 0.5}
    archive.serve(prepared, first)
    assert not list(prepared.stage(STAGE).glob("tested*"))


def test_one_that_was_cut_off_says_how_to_go_on(prepared: Workspace) -> None:
    config = training_config("session", {"epochs": 4, "dim": 32})
    path = checkpoint_path(prepared, "session", config)
    about = {"epochs": [{"epoch": 1, "validation_recall@20": 0.4}], "seconds": 3.0, "points": []}
    checkpoint.save(path, {}, about | {checkpoint.CONFIG: vars(config)})
    (found,) = interrupted(prepared)
    assert (found.model, found.passes, found.validation) == ("session", 1, 0.4)
    assert found.arguments[:4] == ["--model", "session", "--epochs", "4"]
    assert found.arguments[-2:] == ["--set", "dim=32"]
    code, answer = _cli(prepared, "list")
    assert (code, answer["interrupted"][0]["arguments"]) == (0, found.arguments)
    with running(prepared, "train"):
        assert interrupted(prepared) == []  # the one that runs is not cut off
    _data(prepared, "other.csv", 80)
    assert interrupted(prepared) == []
