"""The session encoder: it learns, its export answers as TensorFlow does, and a training can be ended in every way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.models.session import model
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.examples import TrainingExamples
from pipeline.models.session.network import Network
from pipeline.models.session.sampling import Sampler
from pipeline.sessions.histories import Histories
from tests.made.rings import CONFIG, Listener, clicks, train, vectors

pytestmark = pytest.mark.merlin


def test_it_learns_and_its_export_is_faithful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks: list[Network] = []
    export = Network.export

    def keep(network: Network) -> SessionEncoder:
        networks.append(network)
        return export(network)

    monkeypatch.setattr(Network, "export", keep)
    listener = Listener()
    found = train(tmp_path, listen=listener)
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
    train(tmp_path, CONFIG.replace(epochs=1, finish=0))
    encoder = SessionEncoder.load(tmp_path / "encoder.npz")
    histories = TrainingExamples.of(clicks(30)).histories
    empty = Histories(histories.items, histories.categories, np.append(histories.low, 3), np.append(histories.end, 3))
    together = encoder.encode(empty)
    alone = np.concatenate([encoder.encode(empty.take(slice(i, i + 1))) for i in range(len(empty))])
    assert np.abs(together - alone).max() < 1e-5  # of vectors of length one; other processors add in other orders
    assert not together[-1].any()  # nothing was clicked, so nothing is said


def test_the_same_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    first, second = train(tmp_path / "a"), train(tmp_path / "b")
    assert first["epochs"] == second["epochs"]
    assert np.array_equal(vectors(tmp_path / "a"), vectors(tmp_path / "b"))
    train(tmp_path / "c", CONFIG.replace(seed=7))
    assert not np.array_equal(vectors(tmp_path / "a"), vectors(tmp_path / "c"))


def test_where_items_are_many_a_sample_stands_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.models.session.network.FULL_UP_TO", 10)
    monkeypatch.setattr("pipeline.models.session.sampling.SAMPLE", 16)
    train(tmp_path)
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
