"""The session model: what diverges, has too little to learn from or too little memory is said, and the best is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.models.contract import TrainingInput
from pipeline.models.session import model
from pipeline.models.session.network import Batch, Network
from tests.made.rings import CONFIG, catalogue, clicks, train, vectors

pytestmark = pytest.mark.merlin


def test_a_loss_that_is_not_a_number_is_said_and_the_best_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="lower --learning-rate"):
        _diverge(monkeypatch, after=0, run=lambda: train(tmp_path / "a"))
    found = _diverge(monkeypatch, after=12, run=lambda: train(tmp_path / "b"))
    assert found["note"].startswith("the loss was not a number in pass 2")
    assert np.isfinite(vectors(tmp_path / "b")).all()


def test_weights_that_the_last_step_put_out_of_bounds_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bent(network: Network, batch: Batch, rate: float) -> float:
        network.weights["bias"].assign(network.weights["bias"] * np.inf)
        return 1.0  # as the loss of a step is that of the weights before it

    monkeypatch.setattr(Network, "train", bent)
    with pytest.raises(UserError, match="lower --learning-rate"):
        train(tmp_path, CONFIG.replace(epochs=1, finish=0))
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
        train(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("dropout", 1.0), ("budget", 0.0), ("scale", 50.0)])
def test_a_bad_option_names_its_range(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{name} {value} is out of range: choose"):
        CONFIG.replace(**{name: value})


def test_a_budget_bounds_the_passes(tmp_path: Path) -> None:
    shares: list[float] = []
    found = train(
        tmp_path,
        CONFIG.replace(epochs=1000, finish=1000, budget=0.02),
        lambda done, total, text="", point=None: shares.append(done / total) if "loss" in text else None,
    )
    assert len(found["epochs"]) < 1000
    assert max(shares) > 0.5  # how far it is counts the time, too: by passes alone it would be some hundredths
