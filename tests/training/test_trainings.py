"""Every training that ended is kept whole, serves again when it is chosen, and goes only when it is deleted."""

import pytest

from pipeline.clicks import ClickSource
from pipeline.core.errors import UserError
from pipeline.jobs.process import running
from pipeline.models import checkpoint
from pipeline.models.baselines.popularity import PopularityConfig
from pipeline.models.options import training_config
from pipeline.store.stage import is_stale, run_stage
from pipeline.store.workspace import Workspace
from pipeline.training import archive, history
from pipeline.training.interrupted import checkpoint_path, interrupted
from pipeline.training.train import load_model, train
from pipeline.workflow import run
from tests.training.trained import MODEL, STAGE, answered, trained, write_data


def test_every_training_is_listed_with_what_it_chose(prepared: Workspace) -> None:
    first = trained(prepared, neighbours=5)
    second = trained(prepared, neighbours=9, shrinkage=1.0)
    train(prepared, MODEL, {"neighbours": 9, "shrinkage": 1.0})  # unchanged: no other training
    code, answer = answered(prepared, "list")
    assert code == 0
    rows = {row["name"]: row for row in answer["trainings"]}
    assert set(rows) == {first, second}
    assert rows[first]["options"] == {"neighbours": 5}
    assert rows[second]["options"] == {"neighbours": 9, "shrinkage": 1.0}
    assert [rows[first]["in_use"], rows[second]["in_use"]] == [False, True]
    assert {row["data"] for row in rows.values()} == {"log.csv"}
    assert all(row["current"] and row["bytes"] > 0 and row["epochs"] is None for row in rows.values())
    assert answer["bytes"] == sum(row["bytes"] for row in rows.values())


def test_one_that_serves_again_is_what_later_stages_see(prepared: Workspace) -> None:
    first = trained(prepared, neighbours=1)
    before = (prepared.manifest(STAGE) or {})["key"]
    trained(prepared, neighbours=9)
    run_stage(prepared, f"vectors/{MODEL}", PopularityConfig(), lambda f, r: {}, inputs=[STAGE])
    code, answer = answered(prepared, "use", first)
    assert (code, answer["training"], answer["model"]) == (0, first, MODEL)
    assert (prepared.manifest(STAGE) or {})["key"] == before
    assert is_stale(prepared, f"vectors/{MODEL}")
    load_model(prepared, MODEL)
    assert [t.in_use for t in history.list_trainings(prepared)].count(True) == 1
    archive.delete(prepared, next(t.name for t in history.list_trainings(prepared) if not t.in_use))
    load_model(prepared, MODEL)
    assert train(prepared, MODEL, {"neighbours": 1}).skipped
    prepared.sweep()
    assert history.find_training(prepared, first).in_use


def test_run_without_options_keeps_what_was_chosen(prepared: Workspace) -> None:
    first = trained(prepared, neighbours=5)
    trained(prepared, neighbours=9)
    archive.use_training(prepared, first)
    nothing = {"epochs": None}
    config = run.RunConfig(ClickSource("log.csv"), model=MODEL, training=nothing)
    assert run._training(prepared, config) == {"neighbours": 5, "shrinkage": 20.0}
    given = run.RunConfig(ClickSource("log.csv"), model=MODEL, training={"neighbours": 3})
    assert run._training(prepared, given) == {"neighbours": 3}
    write_data(prepared, "other.csv", 80)  # a model of other sessions says nothing of these
    assert run._training(prepared, config) == nothing


def test_one_of_other_sessions_is_refused(prepared: Workspace) -> None:
    first = trained(prepared, neighbours=5)
    write_data(prepared, "other.csv", 80)
    second = trained(prepared, neighbours=5)
    code, answer = answered(prepared, "use", first)
    assert code == 2
    assert "learned from other sessions (log.csv) than the workspace has now (other.csv)" in answer["error"]
    assert history.find_training(prepared, second).in_use
    assert [history.find_training(prepared, name).current for name in (first, second)] == [False, True]


def test_a_ranker_serves_over_the_model_that_it_learned_with(prepared: Workspace) -> None:
    first = trained(prepared, neighbours=5)
    run_stage(prepared, "models/dlrm", PopularityConfig(), lambda f, r: {}, inputs=["data", STAGE])
    archive.keep_training(prepared, "models/dlrm")
    ranker = next(t.name for t in history.list_trainings(prepared) if t.model == "dlrm")
    trained(prepared, neighbours=9)
    with pytest.raises(UserError, match=f"run `trainings use {first}` first"):
        archive.use_training(prepared, ranker)
    archive.use_training(prepared, first)
    archive.use_training(prepared, ranker)
    trained(prepared, neighbours=9)
    archive.delete(prepared, first)
    with pytest.raises(UserError, match="train it anew"):
        archive.use_training(prepared, ranker)


def test_figures_of_the_test_stay_beside_a_training(prepared: Workspace) -> None:
    first = trained(prepared, neighbours=5)
    archive.keep_figures(prepared, STAGE, {"recall@20": 0.5})
    trained(prepared, neighbours=9)
    assert history.find_training(prepared, first).tested == {"recall@20": 0.5}
    archive.use_training(prepared, first)
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
    code, answer = answered(prepared, "list")
    assert (code, answer["interrupted"][0]["arguments"]) == (0, found.arguments)
    with running(prepared, "train"):
        assert interrupted(prepared) == []  # the one that runs is not cut off
    write_data(prepared, "other.csv", 80)
    assert interrupted(prepared) == []
