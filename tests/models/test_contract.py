"""A new kind of model is one class and one entry: the stages, the command line and the form know it from there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import Field
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.arrays import Floats
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.evaluation.evaluate import evaluate
from pipeline.models.contract import EncoderKind, Model, RankerKind, RankerOptions, TrainingInput
from pipeline.models.registry import KINDS, baselines, encoder_kind, retrievers
from pipeline.sessions.histories import Histories
from pipeline.store.stage import Metrics, is_stale
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace
from pipeline.training.train import load_encoder, load_model, train
from pipeline.vectors.embed import embed
from tests.made import clicks as made


class CircleConfig(Options):
    """What can be chosen of the circle."""

    turns: int = Field(default=1, ge=1, le=3, description="How often the items go around.")
    ahead: float = Field(default=0.1, ge=0, description="How far ahead of the last click is asked.")


@dataclass(frozen=True)
class Circle:
    """Items on a circle, in the order of the catalogue."""

    vectors: Floats
    ahead: float

    def encode(self, histories: Histories) -> Floats:
        last = self.vectors[histories.items[histories.end - 1] - FIRST_IDX]
        turned = np.stack([-last[:, 1], last[:, 0]], axis=1)
        return (last * np.cos(self.ahead) + turned * np.sin(self.ahead)).astype(np.float32)

    def score(self, histories: Histories) -> Floats:
        return self.encode(histories) @ self.vectors.T


class CircleKind(EncoderKind[CircleConfig]):
    title = "Circle"
    about = "Made up."
    defaults = CircleConfig()

    def train(self, given: TrainingInput[CircleConfig]) -> Metrics:
        angle = np.linspace(0, 2 * np.pi * given.options.turns, given.catalogue.height, endpoint=False)
        np.save(given.folder / "circle.npy", np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32))
        (given.folder / "ahead").write_text(str(given.options.ahead))
        given.progress(1, 1, "drawn")
        return {"clicks": given.clicks.height}

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> Circle:
        return Circle(np.load(folder / "circle.npy"), float((folder / "ahead").read_text()))


class UpsideDownConfig(RankerOptions):
    retrieval: str = Field(default="circle", description="The model whose candidates are ranked.")


@dataclass(frozen=True)
class UpsideDown:
    retrieval: Model

    def score(self, histories: Histories) -> Floats:
        return -np.asarray(self.retrieval.score(histories))


class UpsideDownKind(RankerKind[UpsideDownConfig]):
    title = "Upside down"
    about = "Made up."
    defaults = UpsideDownConfig()

    def train(self, given: TrainingInput[UpsideDownConfig]) -> Metrics:
        assert given.retrieval is not None
        return {}

    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> UpsideDown:
        assert retrieval is not None
        return UpsideDown(retrieval)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "circle", CircleKind())
    monkeypatch.setitem(KINDS, "upside_down", UpsideDownKind())


def _cli(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = CliRunner().invoke(app, [*arguments, "--workspace", str(workspace.root), "--json"])
    return ended.exit_code, json.loads(ended.stdout.splitlines()[-1])


def test_a_new_kind_is_trained_evaluated_and_embedded_by_the_ordinary_stages(workspace: Workspace) -> None:
    made.data(workspace)
    done = train(workspace, "circle", {"ahead": 0.2})
    assert done.manifest["config"] == {"turns": 1, "ahead": 0.2}
    assert train(workspace, "circle", {"ahead": 0.2, "epochs": 3}).skipped  # it has no epochs
    encoder, catalogue = load_encoder(workspace, "circle")
    assert encoder.vectors.shape == (catalogue.height, 2)
    assert evaluate(workspace, "circle").manifest["metrics"]["recall@20"] > 0.5  # made sessions wander to neighbours
    assert embed(workspace, "circle").manifest["metrics"]["dim"] == 2


def test_a_new_ranker_is_trained_and_read_over_its_retrieval(workspace: Workspace) -> None:
    made.data(workspace)
    with pytest.raises(UserError, match="run `train --model circle`"):
        train(workspace, "upside_down", {})
    train(workspace, "circle", {})
    train(workspace, "upside_down", {})
    histories = made.histories([[4, 5], [9]])
    circle, ranker = (load_model(workspace, name)[0] for name in ("circle", "upside_down"))
    assert np.array_equal(ranker.score(histories), -np.asarray(circle.score(histories)))
    train(workspace, "circle", {"turns": 2})
    assert is_stale(workspace, "models/upside_down")
    with pytest.raises(UserError, match="has none: choose"):
        train(workspace, "upside_down", {"retrieval": "popularity"})


def test_the_command_line_knows_a_new_kind(workspace: Workspace) -> None:
    made.data(workspace)
    code, answer = _cli(workspace, "train", "--model", "circle", "--set", "turns=4")
    assert (code, answer["error"]) == (2, "turns 4 is out of range: choose 1 to 3.")
    code, answer = _cli(workspace, "train", "--model", "circle", "--set", "turn=2")
    assert answer["error"] == "Model 'circle' has no option 'turn': it has turns, ahead. Did you mean turns?"
    code, answer = _cli(workspace, "train", "--model", "circle", "--set", "turns=2")
    assert code == 0, answer
    assert _cli(workspace, "trainings", "list")[1]["trainings"][0]["options"] == {"turns": 2}


def test_a_kind_is_listed_by_what_it_is() -> None:
    assert "circle" in retrievers()
    assert "circle" not in baselines()
    assert encoder_kind("circle") is KINDS["circle"]
    with pytest.raises(UserError, match="makes no vectors"):
        encoder_kind("upside_down")


def _form() -> None:
    from app.train import form

    form.form()


def test_the_form_has_a_new_kinds_options(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    page = AppTest.from_function(_form, default_timeout=60)
    page.query_params["model"] = "circle"
    page.run()
    assert not page.exception
    turns, ahead = page.number_input
    assert (turns.label, turns.value, turns.min, turns.max, turns.help) == (
        "Turns", 1, 1, 3, "How often the items go around.",
    )  # fmt: skip
    assert (ahead.value, ahead.min) == (0.1, 0)  # it has no largest value
