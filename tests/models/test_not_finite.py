"""NaN and infinity are failures: a training that reaches them says so, and no such model, vector or file gets on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.core.columns import ID, VECTOR
from pipeline.core.errors import UserError
from pipeline.models import weights
from pipeline.models.contract import TrainingInput
from pipeline.models.dlrm import fit
from pipeline.models.dlrm import model as dlrm
from pipeline.models.dlrm.model import DlrmConfig
from pipeline.models.dlrm.network import DlrmNetwork
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.tower import Tower, TwoTower
from pipeline.models.two_tower import model as two_tower
from pipeline.models.two_tower.model import TwoTowerConfig
from pipeline.models.two_tower_published import model as two_tower_published
from pipeline.models.two_tower_published.model import PublishedConfig
from pipeline.sessions import sparse
from pipeline.store.workspace import MANIFEST, Workspace, write_json
from pipeline.vectors.embed import load_vectors, vectors_stage, write_vectors
from tests.made import clicks as made
from tests.models.test_dlrm import Blind

ITEMS = 40
FRAME, _ = made.clicks(400, ITEMS, seed=3)
CATALOGUE = made.catalogue(ITEMS, FRAME)
TOO_FAST = 1e30  # the rate at which the next step puts weights out of all bounds
RANKER = DlrmConfig(candidates=20, retrieved=6, popular=2, in_batch=2, epochs=3, batch_size=256, min_clicks=1)
STRANGE = st.sampled_from([np.nan, np.inf, -np.inf])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=6), st.integers(0, 3))
def test_finite_looks_into_everything(values: list[float], where: int) -> None:
    array = np.array(values, np.float32)
    kernel = np.ones((2, 2), np.float32)
    parts = [kernel, (kernel, array), {"a": kernel, "b": [array]}, TwoTower(_tower(), replace(_tower(), bias1=array))]
    expected = bool(np.isfinite(array).all()) or where == 0
    assert weights.finite(parts[where]) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e-3), max_size=3), STRANGE, st.integers(0, 3))
def test_what_is_no_number_agrees_with_nothing(apart: list[float], strange: float, at: int) -> None:
    weights.agree("they differ", [0.0, *apart], 1e-3)
    if strange != -np.inf:
        with pytest.raises(AssertionError, match="they differ by"):
            weights.agree("they differ", [*apart[:at], strange, *apart[at:]], 1e-3)


def _tower() -> Tower:
    return Tower(*(np.ones((2, 2), np.float32) for _ in range(3)), *(np.ones(2, np.float32) for _ in range(3)))


def _network(bias: float = 0.0) -> DlrmNetwork:
    layer = np.ones((2, 2), np.float32), np.ones(2, np.float32)
    return DlrmNetwork((np.ones((4, 2), np.float32),), (layer,), (layer,), (layer[0], np.array([bias], np.float32)))


def _encoder(bias: float = 0.0) -> SessionEncoder:
    arrays = {name: np.ones(2, np.float32) for name in SessionEncoder.__dataclass_fields__}
    return SessionEncoder(**arrays | {"bias": np.array([bias], np.float32)})


MODELS: list[tuple[Callable[[float], Any], Callable[[Path], Any]]] = [
    (lambda bias: TwoTower(_tower(), replace(_tower(), bias0=np.array([bias], np.float32))), TwoTower.load),
    (_network, DlrmNetwork.load),
    (_encoder, SessionEncoder.load),
]


@pytest.mark.parametrize(("make", "load"), MODELS)
@pytest.mark.parametrize("strange", [np.nan, -np.inf])
def test_weights_that_are_not_finite_are_neither_written_nor_read(
    tmp_path: Path, make: Callable[[float], Any], load: Callable[[Path], Any], strange: float
) -> None:
    path = tmp_path / "weights.npz"
    make(1.0).save(path)
    assert weights.finite(load(path))
    with np.load(path) as stored:
        arrays = dict(stored)
    with pytest.raises(UserError, match="lower --learning-rate and train again"):
        make(strange).save(tmp_path / "other.npz")
    assert not (tmp_path / "other.npz").exists()
    name = next(iter(arrays))
    np.savez(path, **arrays | {name: np.full_like(arrays[name], strange)})  # as an earlier version would have
    with pytest.raises(UserError, match="no finite numbers: train this model again"):
        load(path)


def test_counts_and_vectors_that_are_not_finite_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train this model again"):
        sparse.save(tmp_path / "rules.npz", csr_matrix(np.array([[1, np.nan]], np.float32)))
    ids, vectors = pl.Series(["a", "b", "c"]), np.ones((3, 2), np.float32)
    vectors[1, 1] = np.inf
    with pytest.raises(UserError, match=r"The vector of 'b' for items\.parquet is not of finite numbers"):
        write_vectors(tmp_path / "items.parquet", ids, vectors)
    with workspace.writing(vectors_stage("session")) as folder:
        table = pl.DataFrame({ID: ids, VECTOR: pl.Series(vectors, dtype=pl.Array(pl.Float32, 2))})
        table.write_parquet(folder / "items.parquet")
        write_json(folder / MANIFEST, {"stage": vectors_stage("session"), "key": "", "inputs": {}, "metrics": {}})
    with pytest.raises(UserError, match="'b' for items"):
        load_vectors(workspace, "session", "items")


def test_the_published_training_ends_in_a_sentence(tmp_path: Path) -> None:
    config = PublishedConfig(epochs=2, batch_size=64)
    object.__setattr__(config, "learning_rate", TOO_FAST)
    with np.errstate(all="ignore"), pytest.raises(UserError, match="is not a number after .* lower --learning-rate"):
        two_tower_published.train(TrainingInput(tmp_path, FRAME, CATALOGUE, config))
    assert not list(tmp_path.iterdir())


class TooFast:
    """Raise the rate of a model, once it is built, when the text of a training's progress begins with `when`."""

    def __init__(self, module: Any, patch: pytest.MonkeyPatch, when: str) -> None:
        self.when, self.build = when, module._model
        self.built: Any = None
        patch.setattr(module, "_model", self._keep)

    def _keep(self, *given: Any) -> Any:
        self.built = self.build(*given)
        return self.built

    def __call__(self, done: float, total: float, text: str = "", point: object = None) -> None:
        """Hear of the training."""
        if self.built is not None and text.startswith(self.when):
            model = self.built[0] if isinstance(self.built, tuple) else self.built
            model.optimizer.learning_rate.assign(TOO_FAST)


@pytest.mark.merlin
def test_a_merlin_training_that_diverges_at_once_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen = TooFast(two_tower, monkeypatch, "epoch 1 of")
    with pytest.raises(UserError, match="is not a number after .* lower --learning-rate, now 0.003"):
        two_tower.train(TrainingInput(tmp_path, FRAME, CATALOGUE, TwoTowerConfig(epochs=2, batch_size=128), listen))
    assert not (tmp_path / "towers.npz").exists()


@pytest.mark.merlin
def test_a_merlin_training_that_diverges_later_keeps_its_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listen = TooFast(fit, monkeypatch, "epoch 3 of")
    found = fit.train(TrainingInput(tmp_path, FRAME, CATALOGUE, RANKER, listen, retrieval=Blind()))
    assert found["note"].startswith("the loss was not a number in epoch 3; the best before it was kept")
    assert len(found["epochs"]) == 2
    scores = dlrm.load(tmp_path, CATALOGUE, Blind()).score(made.histories([[1, 2], [5]]))
    assert weights.finite(scores.data)
    curve = pl.read_parquet(tmp_path / "curve.parquet")
    assert all(weights.finite(curve[name].drop_nulls().to_numpy()) for name in curve.columns)
