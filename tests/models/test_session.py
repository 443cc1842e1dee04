"""The session encoder: it learns, its export answers as TensorFlow does, and a training can be ended in every way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.core.columns import CATEGORY, CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.core.errors import Cancelled, StopEarly, UserError
from pipeline.models import checkpoint
from pipeline.models.contract import TrainingInput
from pipeline.models.session import model
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.examples import TrainingExamples
from pipeline.models.session.network import Batch, Network
from pipeline.models.session.passes import SessionConfig
from pipeline.models.session.sampling import Sampler
from pipeline.sessions.histories import Histories

pytestmark = pytest.mark.merlin
ITEMS = 40
CONFIG = SessionConfig(epochs=8, finish=4, batch_size=16, dim=16, learning_rate=0.02)


def clicks(sessions: int = 400, items: int = ITEMS, length: int = 4) -> pl.DataFrame:
    """Make sessions that walk from an item to the next one: easy to learn."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(sessions):
        start = int(random.integers(items))
        for step in range(length):
            rows.append((number, number * 100 + step, FIRST_IDX + (start + step) % items, FIRST_IDX))
    frame = pl.DataFrame(rows, schema=[SESSION_ID, TIMESTAMP, ITEM_IDX, CATEGORY_IDX], orient="row")
    return frame.with_columns(pl.from_epoch(TIMESTAMP).dt.replace_time_zone("UTC"))


def catalogue(items: int = ITEMS) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ITEM_ID: [f"i{n}" for n in range(items)],
            ITEM_IDX: [FIRST_IDX + n for n in range(items)],
            CATEGORY: ["even" if n % 2 == 0 else "odd" for n in range(items)],
            CATEGORY_IDX: [FIRST_IDX + n % 2 for n in range(items)],
        }
    )


class Listener:
    """Keep the points of the curve; raise what is asked for when pass `when` begins."""

    def __init__(self, error: type[BaseException] | None = None, when: str = "") -> None:
        self.error, self.when = error, when
        self.steps: list[float] = []
        self.validated = 0

    def __call__(self, done: float, total: float, text: str = "", point: Any = None) -> None:
        self.steps.append(done)
        self.validated += point is not None and "validation_recall@20" in point
        if self.error is not None and text.startswith(self.when):
            raise self.error


def _train(
    folder: Path, config: SessionConfig = CONFIG, listen: Any = None, kept: Path | None = None
) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    kept = kept or folder / "kept.npz"
    return model.train(TrainingInput(folder, clicks(), catalogue(), config, listen or Listener(), kept, folder))


def _vectors(folder: Path) -> Any:
    return SessionEncoder.load(folder / "encoder.npz").vectors


def test_it_learns_and_its_export_is_faithful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks: list[Network] = []
    export = Network.export

    def keep(network: Network) -> SessionEncoder:
        networks.append(network)
        return export(network)

    monkeypatch.setattr(Network, "export", keep)
    listener = Listener()
    found = _train(tmp_path, listen=listener)
    encoder = SessionEncoder.load(tmp_path / "encoder.npz")
    examples = TrainingExamples.of(clicks())
    best = encoder.score(examples.histories).argmax(axis=1)
    assert (best == examples.targets).mean() > 0.95
    assert found["validation_recall@20"] > 0.9
    assert listener.validated == sum("validation_recall@20" in epoch for epoch in found["epochs"]) >= 2
    assert np.allclose(np.square(encoder.vectors).sum(axis=1), 1, atol=1e-5)
    model.check_export(networks[-1], encoder, examples)
    with pytest.raises(AssertionError, match="differs from TensorFlow's outputs"):
        model.check_export(networks[-1], replace(encoder, bias=encoder.bias + 1e-3), examples)
    assert not (tmp_path / "kept.npz").exists()


def test_one_history_is_encoded_as_among_many(tmp_path: Path) -> None:
    _train(tmp_path, CONFIG.replace(epochs=1, finish=0))
    encoder = SessionEncoder.load(tmp_path / "encoder.npz")
    histories = TrainingExamples.of(clicks(30)).histories
    empty = Histories(histories.items, histories.categories, np.append(histories.low, 3), np.append(histories.end, 3))
    together = encoder.encode(empty)
    alone = np.concatenate([encoder.encode(empty.take(slice(i, i + 1))) for i in range(len(empty))])
    assert np.abs(together - alone).max() < 1e-5  # of vectors of length one; other processors add in other orders
    assert not together[-1].any()  # nothing was clicked, so nothing is said


def test_the_same_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    first, second = _train(tmp_path / "a"), _train(tmp_path / "b")
    assert first["epochs"] == second["epochs"]
    assert np.array_equal(_vectors(tmp_path / "a"), _vectors(tmp_path / "b"))
    _train(tmp_path / "c", CONFIG.replace(seed=7))
    assert not np.array_equal(_vectors(tmp_path / "a"), _vectors(tmp_path / "c"))


@pytest.mark.parametrize("when", ["pass 2 ·", "pass 5, finishing"])
def test_one_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path, when: str) -> None:
    kept, config = tmp_path / "kept.npz", CONFIG.replace(epochs=3)
    whole = _train(tmp_path / "a", config)
    with pytest.raises(Cancelled):
        _train(tmp_path / "b", config, Listener(Cancelled, when), kept)
    stored = checkpoint.load(kept)
    assert stored is not None
    listener = Listener()
    resumed = _train(tmp_path / "b", config, listener, kept)
    assert min(step for step in listener.steps if step > 0) == stored[1]["step"] + 1  # no pass is repeated
    assert resumed["epochs"] == whole["epochs"]
    assert np.array_equal(_vectors(tmp_path / "a"), _vectors(tmp_path / "b"))


@pytest.mark.parametrize(("when", "passes"), [("pass 3 ·", 2), ("pass 5, finishing", 4)])
def test_stopped_early_it_keeps_the_best(tmp_path: Path, when: str, passes: int) -> None:
    config = CONFIG.replace(epochs=3)
    found = _train(tmp_path, config, Listener(StopEarly, when))
    assert found["note"].startswith("stopped early")
    assert len(found["epochs"]) == passes
    assert np.isfinite(_vectors(tmp_path)).all()


def test_a_loss_that_is_not_a_number_is_said_and_the_best_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="lower --learning-rate"):
        _diverge(monkeypatch, after=0, run=lambda: _train(tmp_path / "a"))
    found = _diverge(monkeypatch, after=12, run=lambda: _train(tmp_path / "b"))
    assert found["note"].startswith("the loss was not a number in pass 2")
    assert np.isfinite(_vectors(tmp_path / "b")).all()


def test_weights_that_the_last_step_put_out_of_bounds_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bent(network: Network, batch: Batch, rate: float) -> float:
        network.weights["bias"].assign(network.weights["bias"] * np.inf)
        return 1.0  # as the loss of a step is that of the weights before it

    monkeypatch.setattr(Network, "train", bent)
    with pytest.raises(UserError, match="lower --learning-rate"):
        _train(tmp_path, CONFIG.replace(epochs=1, finish=0))
    assert not (tmp_path / "encoder.npz").exists()


def _diverge(monkeypatch: pytest.MonkeyPatch, after: int, run: Callable[[], Any]) -> Any:
    """Put a weight out of all bounds after some steps, as a rate far too high would."""
    train = Network.train

    def bent(network: Network, batch: Batch, rate: float) -> Any:
        if batch.step == after:
            network.weights["bias"].assign(network.weights["bias"] * np.inf)
        return train(network, batch, rate)

    with monkeypatch.context() as patch:
        patch.setattr(Network, "train", bent)
        return run()


def test_where_items_are_many_a_sample_stands_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.models.session.network.FULL_UP_TO", 10)
    monkeypatch.setattr("pipeline.models.session.sampling.SAMPLE", 16)
    _train(tmp_path)
    encoder, examples = SessionEncoder.load(tmp_path / "encoder.npz"), TrainingExamples.of(clicks())
    assert (encoder.score(examples.histories).argmax(axis=1) == examples.targets).mean() > 0.9


def test_a_sample_weighs_as_much_as_all() -> None:
    random = np.random.default_rng(3)
    clicked, values = random.integers(0, 50, 3000), random.random(3000)
    sampler, targets, others = Sampler.by(clicked), np.array([7, 2999, 7]), np.array([1, 2])
    sums = []
    for _ in range(300):
        rows, weights = sampler.draw(random, targets, others)
        assert np.all(np.diff(rows) > 0)
        assert set(targets) | set(others) <= set(rows)
        assert np.all(weights[np.searchsorted(rows, targets)] == 1)
        sums.append(float((weights * values[rows]).sum()))
    assert np.mean(sums) == pytest.approx(values.sum(), rel=0.01)


def test_one_item_is_nothing_to_rank(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a ranking needs at least 2"):
        model.train(TrainingInput(tmp_path, clicks(50, 1), catalogue(1), CONFIG))


def test_with_too_few_sessions_every_pass_is_trained(tmp_path: Path) -> None:
    few = model.train(TrainingInput(tmp_path, clicks(5), catalogue(), CONFIG))
    assert "too few sessions" in few["note"]
    assert len(few["epochs"]) == CONFIG.epochs + CONFIG.finish


def test_out_of_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(network: Network, batch: Batch, rate: float) -> Any:
        raise MemoryError

    monkeypatch.setattr(Network, "train", full)
    with pytest.raises(UserError, match="Out of memory at batch_size 16 and 40 items: lower --batch-size"):
        _train(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("dropout", 1.0), ("budget", 0.0), ("scale", 50.0)])
def test_a_bad_option_names_its_range(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{name} {value} is out of range: choose"):
        CONFIG.replace(**{name: value})


def test_a_budget_bounds_the_passes(tmp_path: Path) -> None:
    shares: list[float] = []
    found = _train(
        tmp_path,
        CONFIG.replace(epochs=1000, finish=1000, budget=0.02),
        lambda done, total, text="", point=None: shares.append(done / total) if "loss" in text else None,
    )
    assert len(found["epochs"]) < 1000
    assert max(shares) > 0.9  # how far it is counts the time, too


def _job(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline", "train", "--batch-size", "64", "--epochs", "40", "--json"]
    return subprocess.Popen([*command, "--workspace", str(root)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    from pipeline.core.stage import run_stage
    from pipeline.core.workspace import Workspace
    from pipeline.training.interrupted import interrupted
    from tests.conftest import wait_for

    workspace = Workspace.open(tmp_path / "ws")

    def data(folder: Path, progress: Any) -> dict[str, Any]:
        (folder / "train").mkdir()
        clicks(1000).write_parquet(folder / "train" / "part.parquet")
        catalogue().write_parquet(folder / "items.parquet")
        return {}

    run_stage(workspace, "data", SessionConfig(), data)
    process = _job(workspace.root)
    found = workspace.root / "checkpoints" / "session"
    wait_for(lambda: list(found.glob("*.npz")), 240, "no checkpoint")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    stored = checkpoint.load(next(iter(found.glob("*.npz"))))
    assert stored is not None
    (cut_off,) = interrupted(workspace)
    assert cut_off.passes == len(stored[1]["epochs"]) > 0
    assert cut_off.arguments[2:6] == ["--epochs", "40", "--batch-size", "64"]
    again = _job(workspace.root)
    answer = json.loads(again.communicate(timeout=200)[0].splitlines()[-1])
    assert again.returncode == 0, answer
    lines = [json.loads(line) for line in (workspace.root / "jobs" / "2" / "curve.jsonl").read_text().splitlines()]
    assert min(line["step"] for line in lines) > stored[1]["step"]  # the passes before are not repeated
    assert len(answer["metrics"]["epochs"]) > stored[1]["epoch"]
    assert not list(found.glob("*.npz"))
