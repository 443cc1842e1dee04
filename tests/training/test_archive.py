"""What is deleted comes back until it is gone for good; the newest trainings are kept, each whole."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import UserError
from pipeline.jobs.process import running
from pipeline.store.workspace import MANIFEST, Workspace
from pipeline.training import archive, history
from pipeline.training.train import train
from tests.training.trained import MODEL, STAGE, answered, trained


def _neighbours(workspace: Workspace) -> int:
    return int((workspace.manifest(STAGE) or {})["config"]["neighbours"])


def test_what_is_deleted_comes_back_until_it_is_gone_for_good(prepared: Workspace) -> None:
    first, second = trained(prepared, neighbours=5), trained(prepared, neighbours=9)
    archive.set_training_aside(prepared, first)
    assert [t.name for t in history.list_trainings(prepared)] == [second]
    assert [t.name for t in history.deleted(prepared)] == [first]
    archive.restore_training(prepared, first)
    assert history.deleted(prepared) == []
    archive.use_training(prepared, first)
    assert _neighbours(prepared) == 5
    assert answered(prepared, "delete", second)[0] == 0
    with pytest.raises(UserError, match="gone for good"):
        archive.restore_training(prepared, second)
    code, answer = answered(prepared, "delete", first)
    assert (code, "use another one first" in answer["error"]) == (2, True)
    code, answer = answered(prepared, "delete", second)
    assert (code, "There is no training" in answer["error"]) == (2, True)


def test_what_is_set_aside_while_the_oldest_go_is_kept(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT", 0)
    first = trained(prepared, neighbours=5)
    known = archive.list_trainings

    def deleted_on_the_page(workspace: Workspace) -> list[history.Training]:
        found = known(workspace)
        monkeypatch.setattr(archive, "list_trainings", known)
        archive.set_training_aside(workspace, first)
        return found

    monkeypatch.setattr(archive, "list_trainings", deleted_on_the_page)
    second = trained(prepared, neighbours=9)  # lets the oldest go, which a page has just set aside
    archive.restore_training(prepared, first)
    assert {t.name for t in history.list_trainings(prepared)} == {first, second}


def test_nothing_is_deleted_for_good_while_a_job_writes(prepared: Workspace) -> None:
    first = trained(prepared, neighbours=5)
    trained(prepared, neighbours=9)
    with running(prepared, "train"):
        code, answer = answered(prepared, "delete", first)
    assert (code, "The workspace is busy" in answer["error"]) == (2, True)
    assert history.find_training(prepared, first)


def test_the_newest_are_kept_and_the_one_that_serves(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT", 2)
    first = trained(prepared, neighbours=5)
    for neighbours in (6, 7):
        trained(prepared, neighbours=neighbours)
    archive.use_training(prepared, first)
    archive.keep_training(prepared, STAGE)
    assert [t.options["neighbours"] for t in history.list_trainings(prepared)] == [7, 6, 5]
    trained(prepared, neighbours=8)
    assert [t.options["neighbours"] for t in history.list_trainings(prepared)] == [8, 7, 6]


def test_one_that_was_not_kept_before_is_kept_before_it_is_replaced(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.training.train.keep_training", lambda workspace, stage: None)  # as a version before did
        train(prepared, MODEL, {"neighbours": 5})
    trained(prepared, neighbours=9)
    assert [t.options["neighbours"] for t in history.list_trainings(prepared)] == [9, 5]


def test_a_training_appears_whole_or_not_at_all(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(prepared, neighbours=5)
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
    trained(prepared, neighbours=9)  # kept by the next command
    assert len(history.list_trainings(prepared)) == 2


def _full(path: Path, value: Any) -> None:
    raise OSError(28, "No space left on device", str(path))
