"""Evaluation from the command line: figures, intervals, differences, slices, on sessions that are made up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID
from pipeline.evaluation import examples
from pipeline.evaluation.differences import certain
from pipeline.evaluation.evaluate import ALL_CLICKS, EXAMPLES, SLICES, evaluation_stage, evaluations
from pipeline.evaluation.examples import EvaluationExamples
from pipeline.metrics.ranking import top
from pipeline.sessions.histories import next_clicks
from pipeline.store.workspace import Workspace
from tests.made import clicks as made

MODELS = ("popularity", "itemknn", "sr", "vsknn")


def _run(root: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = CliRunner().invoke(app, [*arguments, "--workspace", str(root), "--json"])
    return ended.exit_code, json.loads(ended.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    opened = Workspace.open(tmp_path_factory.mktemp("evaluation") / "ws")
    made.data(opened)
    for name in MODELS:
        assert _run(opened.root, "train", "--model", name)[0] == 0
    return opened


@pytest.fixture(scope="module")
def answer(trained: Workspace) -> dict[str, Any]:
    code, found = _run(trained.root, "evaluate")
    assert code == 0, found
    return found


def test_every_model_is_measured_with_intervals(answer: dict[str, Any]) -> None:
    assert set(answer["models"]) == set(answer["intervals"]) == set(MODELS)
    for name, figures in answer["models"].items():
        bounds = answer["intervals"][name]
        assert set(figures) - set(bounds) == {"coverage@20", "examples", "sessions"}
        assert all(low <= figures[measure] <= high for measure, (low, high) in bounds.items()), name
        assert figures["recall@5"] <= figures["recall@10"] <= figures["recall@20"]
        assert figures["sessions"] == 100


def test_models_are_compared_with_the_best_baseline(answer: dict[str, Any]) -> None:
    figures = answer["models"]
    assert answer["against"] == max(figures, key=lambda name: figures[name]["mrr@20"])
    assert set(answer["differences"]) == set(MODELS) - {answer["against"]}
    worse = answer["differences"]["popularity"]["mrr@20"]
    assert worse["low"] < worse["difference"] < worse["high"] < 0


def test_the_leader_is_surely_before_those_whose_paired_interval_leaves_out_zero(
    trained: Workspace, answer: dict[str, Any]
) -> None:
    best = max(answer["models"], key=lambda name: answer["models"][name]["mrr@20"])
    code, found = _run(trained.root, "evaluate", "--against", best)
    assert code == 0
    sure = {(best, name) for name, one in found["differences"].items() if one["mrr@20"]["high"] < 0}
    assert certain(trained, "mrr@20", ALL_CLICKS) == sure
    assert (best, "popularity") in sure


def test_a_model_is_compared_with_the_one_that_is_named(trained: Workspace, answer: dict[str, Any]) -> None:
    code, found = _run(trained.root, "evaluate", "--model", "sr", "--against", "popularity")
    assert code == 0
    assert set(found["differences"]) == {"sr"}
    expected = answer["models"]["sr"]["recall@20"] - answer["models"]["popularity"]["recall@20"]
    assert found["differences"]["sr"]["recall@20"]["difference"] == pytest.approx(expected, abs=2e-6)
    code, found = _run(trained.root, "evaluate", "--against", "srr")
    assert (code, "Did you mean sr?" in found["error"]) == (2, True)


def test_ranks_and_slices_are_kept(trained: Workspace, answer: dict[str, Any]) -> None:
    folder = trained.stage(evaluation_stage("sr"))
    examples = pl.read_parquet(folder / EXAMPLES)
    assert examples.columns == [SESSION_ID, "clicks", ITEM_IDX, "rank"]
    hits = (examples["rank"].fill_null(99) <= 20).mean()
    assert hits == pytest.approx(answer["models"]["sr"]["recall@20"], abs=1e-6)
    slices = pl.read_parquet(folder / SLICES).filter(pl.col("measure") == "recall@20")
    for name, parts in slices.group_by("slice"):
        assert parts["examples"].sum() == examples.height, name
        assert (parts["mean"] * parts["examples"]).sum() / examples.height == pytest.approx(hits, abs=1e-5)
    first = slices.filter(pl.col("part") == "1 click")
    assert first["examples"][0] == examples["clicks"].eq(1).sum() == 100


def test_what_was_seen_can_be_left_out(trained: Workspace, answer: dict[str, Any]) -> None:
    code, found = _run(trained.root, "evaluate", "--model", "sr", "--exclude-seen")
    assert code == 0
    assert found["models"]["sr"]["examples"] < answer["models"]["sr"]["examples"]
    assert (found["against"], found["differences"]) == ("sr", {})  # no other one is evaluated so
    assert _run(trained.root, "evaluate", "--model", "sr")[1]["models"]["sr"] == answer["models"]["sr"]


def test_seen_items_are_neither_recommended_nor_asked_for() -> None:
    frame, sessions = made.clicks(60, 12)
    examples = EvaluationExamples.of(frame, exclude_seen=True)
    expected = [(row[:place], item) for row in sessions for place, item in enumerate(row) if item not in row[:place]]
    expected = [(seen, item) for seen, item in expected if seen]
    assert examples.targets.tolist() == [item for _, item in expected]
    assert examples.table["clicks"].to_list() == [len(seen) for seen, _ in expected]
    assert (examples.table[ITEM_IDX] - FIRST_IDX).to_list() == examples.targets.tolist()
    scores = np.random.default_rng(0).random((len(expected), 12), np.float32)
    rows = slice(0, len(expected))
    for hidden in (examples.hide(scores, rows), examples.hide(csr_matrix(scores), rows)):
        for (seen, _), best in zip(expected, top(hidden, 12).tolist(), strict=True):
            assert set(best) - {-1} == set(range(12)) - set(seen)


def test_examples_are_the_next_clicks() -> None:
    frame, _ = made.clicks(20, 12)
    examples = EvaluationExamples.of(frame)
    _, items, _ = next_clicks(frame)
    assert examples.table[ITEM_IDX].to_list() == items.tolist()
    assert examples.hide(np.ones((1, 12), np.float32), slice(0, 1)).min() == 1


def test_models_of_other_sessions_are_not_compared(tmp_path: Path) -> None:
    opened = Workspace.open(tmp_path / "ws")
    made.data(opened)
    for name in ("popularity", "sr"):
        _run(opened.root, "train", "--model", name)
    assert _run(opened.root, "evaluate")[0] == 0
    made.data(opened, sessions=300, key="other")
    code, found = _run(opened.root, "evaluate")
    assert (code, "none on these sessions" in found["error"]) == (2, True)
    code, found = _run(opened.root, "evaluate", "--model", "sr")
    assert (code, "run `train --model sr`" in found["error"]) == (2, True)
    assert evaluations(opened) == {}
    _run(opened.root, "train", "--model", "sr")
    assert set(_run(opened.root, "evaluate")[1]["models"]) == {"sr"}


def test_a_session_that_makes_most_of_the_examples_is_told() -> None:
    usual = EvaluationExamples.of(made.clicks(30, 12)[0]).longest()
    assert (usual.sessions, usual.note) == (1, "")
    few = EvaluationExamples.of(made.clicks(2, 12)[0]).longest()
    assert few.share >= 0.5
    assert few.note == "", "of two sessions one is always the longest"
    longest = EvaluationExamples.of(made.with_robot(1000)).longest()
    assert longest.examples == 999
    assert "the longest session makes 999 (" in longest.note


@pytest.mark.parametrize("exclude_seen", [False, True])
@pytest.mark.parametrize("most", [1, 3, 50, 10_000])
def test_the_next_clicks_of_a_session_can_be_bounded(most: int, exclude_seen: bool) -> None:
    clicks = made.with_robot(300)
    whole, bounded = EvaluationExamples.of(clicks, exclude_seen), EvaluationExamples.of(clicks, exclude_seen, most)
    kept = (whole.table["clicks"] <= most).to_numpy()
    assert bounded.table.equals(whole.table.filter(pl.Series(kept)))
    assert bounded.targets.tolist() == whole.targets[kept].tolist()
    assert (bounded.histories.end == whole.histories.end[kept]).all()
    assert (bounded.table.group_by(SESSION_ID).len()["len"] <= most).all()


def test_evaluate_tells_of_a_robot_and_bounds_it(tmp_path: Path) -> None:
    opened = Workspace.open(tmp_path / "ws")
    made.data(opened)
    made.with_robot(3000).write_parquet(opened.stage("data") / "test" / "part_0.parquet")
    for name in ("popularity", "sr"):
        _run(opened.root, "train", "--model", name)
    code, found = _run(opened.root, "evaluate")
    assert code == 0, found
    assert "the longest session makes 2,999 (" in found["note"]
    assert "--max-clicks 50" in found["note"]
    assert found["longest_sessions"]["examples"] == 2999
    code, bounded = _run(opened.root, "evaluate", "--max-clicks", "5")
    assert (code, bounded["note"]) == (0, "")
    assert bounded["longest_sessions"]["examples"] == 5
    assert bounded["models"]["sr"]["examples"] == found["models"]["sr"]["examples"] - _beyond(opened, 5)
    assert _run(opened.root, "evaluate")[1]["models"] == found["models"], "each bound has figures of its own"
    code, refused = _run(opened.root, "evaluate", "--max-clicks", "-1")
    assert (code, "max_clicks -1 is out of range" in refused["error"]) == (2, True)


def _beyond(workspace: Workspace, most: int) -> int:
    """Count the next clicks of the test sessions beyond the first so many."""
    test = pl.read_parquet(workspace.stage("data") / "test" / "part_0.parquet")
    return int(test.group_by(SESSION_ID).len()["len"].map_elements(lambda n: max(0, n - 1 - most), pl.Int64).sum())


def test_of_many_sessions_a_sample_is_ranked_alike_for_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    clicks = made.clicks(300, 12)[0].sort("session_id", maintain_order=True)
    whole = EvaluationExamples.of(clicks)
    assert whole.sampled_of == 0
    monkeypatch.setattr(examples, "MOST_SESSIONS", 100)
    some, again = EvaluationExamples.of(clicks), EvaluationExamples.of(clicks)
    assert some.sampled_of == clicks["session_id"].n_unique()
    assert some.table.equals(again.table)
    assert some.table["session_id"].n_unique() <= 100
    assert len(some.targets) == some.table.height
    kept = whole.table.join(some.table.select("session_id").unique(), on="session_id", how="semi")
    assert kept.equals(some.table), "of a session that is drawn, every next click is ranked"
    assert examples.sample_note(300) == "Measured on 100 of 300 test sessions, drawn at random, alike for every model."
