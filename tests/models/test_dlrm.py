"""The ranker: its negatives, its AUC, and that it puts right what retrieval does not know."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import StopEarly
from pipeline.metrics.ranking import top
from pipeline.models.contract import RankerKind, TrainingInput
from pipeline.models.dlrm.fit import TARGET, auc, train, training_pairs
from pipeline.models.dlrm.model import PUBLISHED, DlrmConfig, load
from pipeline.models.dlrm.pairs import PairTables, retrieve
from pipeline.models.registry import KINDS, baselines
from pipeline.sessions.histories import Histories, hold_out, next_clicks
from tests.made import clicks as made

ITEMS = 40
FRAME, _ = made.clicks(1200, ITEMS, seed=3)
CATALOGUE = made.catalogue(ITEMS, FRAME)
CONFIG = DlrmConfig(candidates=20, retrieved=6, popular=2, in_batch=2, epochs=3, batch_size=256, min_clicks=1)


class Blind:
    """Retrieve at random, but the same for the same history."""

    def score(self, histories: Histories) -> np.ndarray:
        """Give each history scores that follow from its last item and its place."""
        seeds = np.where(histories.end > histories.low, histories.items[histories.end - 1], 0)
        return np.stack([np.random.default_rng(int(seed)).random(ITEMS, np.float32) for seed in seeds])


def test_auc_is_the_chance_to_be_above() -> None:
    random = np.random.default_rng(0)
    positive, scores = random.random(300) < 0.2, random.integers(0, 20, 300).astype(np.float32)
    above = [(p > n) + 0.5 * (p == n) for p in scores[positive] for n in scores[~positive]]
    assert auc(positive, scores) == pytest.approx(np.mean(above), abs=1e-6)


def test_with_positives_only_there_is_no_auc() -> None:
    assert auc(np.ones(5, bool), np.arange(5, dtype=np.float32)) is None
    assert auc(np.arange(5) > 2, np.array([0, 1, np.nan, 2, 3], np.float32)) is None


def test_each_next_click_has_its_negatives() -> None:
    features = PairTables.of(FRAME, CATALOGUE, 1)
    table = training_pairs(Blind(), features, hold_out(FRAME)[1], CATALOGUE, CONFIG)
    clicked, ranks = table[TARGET].to_numpy() == 1, table["rank"].to_numpy()
    assert 1 / 11 <= clicked.mean() < 1 / 9  # ten each, but for those that were the next click itself
    assert ranks[clicked].min() >= np.float32(1 / 20)  # only what was retrieved is ranked
    assert ranks[~clicked].min() == np.float32(1 / 21)  # other negatives come behind


@pytest.mark.merlin
def test_it_ranks_better_than_retrieval_and_recommends_nothing_else(tmp_path: Path) -> None:
    found = train(TrainingInput(tmp_path, FRAME, CATALOGUE, CONFIG, retrieval=Blind()))
    assert found["held_out"]["mrr@20"] > 1.5 * found["held_out_retrieval"]["mrr@20"]
    assert found["held_out"]["auc"] > 0.7
    ranker = load(tmp_path, CATALOGUE, Blind())
    histories = made.histories([[1, 2], [5], [9, 8, 7]])
    scores = ranker.score(histories)
    retrieved = retrieve(Blind(), histories, 20).items
    assert (np.sort(top(scores, 20), axis=1) == np.sort(retrieved, axis=1)).all()


class Knowing:
    """Retrieve the next click first: what cannot be ranked better."""

    def __init__(self) -> None:
        histories, items, _ = next_clicks(FRAME)
        self.next = dict(zip(histories.codes().tolist(), (items - FIRST_IDX).tolist(), strict=True))

    def score(self, histories: Histories) -> np.ndarray:
        """Score the item highest that follows this history somewhere, and others as they are numbered."""
        scores = np.tile(np.linspace(0.5, 0, ITEMS, dtype=np.float32), (len(histories), 1))
        known = [self.next.get(code, 0) for code in histories.codes().tolist()]
        scores[np.arange(len(histories)), known] = 1
        return scores


@pytest.mark.merlin
def test_where_no_pass_orders_better_than_retrieval_its_order_is_kept(tmp_path: Path) -> None:
    found = train(TrainingInput(tmp_path, FRAME, CATALOGUE, CONFIG.replace(epochs=1), retrieval=Knowing()))
    assert found["held_out"]["mrr@20"] == found["held_out_retrieval"]["mrr@20"]
    assert found["held_out"]["auc"] is None
    assert "its order is kept" in found["note"]
    histories, _, _ = next_clicks(FRAME)
    some = histories.take(slice(0, 50))
    ranked, own = load(tmp_path, CATALOGUE, Knowing()).score(some), Knowing().score(some)
    assert (top(ranked, 20) == top(own, 20)).all()


@pytest.mark.merlin
@pytest.mark.parametrize(("when", "epochs"), [("epoch 1 of", 1), ("epoch 2 of", 1)])
def test_stopped_early_it_keeps_the_best(tmp_path: Path, when: str, epochs: int) -> None:
    def listen(done: float, total: float, text: str = "", point: Any = None) -> None:
        if text.startswith(when):
            raise StopEarly

    found = train(TrainingInput(tmp_path, FRAME, CATALOGUE, CONFIG.replace(epochs=3), listen, retrieval=Blind()))
    assert found["note"].startswith("stopped early")
    assert len(found["epochs"]) == epochs
    assert load(tmp_path, CATALOGUE, Blind()).score(made.histories([[1, 2]])).nnz == 20


@pytest.mark.merlin
def test_as_published_it_has_no_negative_and_no_auc(tmp_path: Path) -> None:
    config = PUBLISHED.replace(candidates=20, epochs=1, batch_size=256, min_clicks=1)
    assert (
        training_pairs(Blind(), PairTables.of(FRAME, CATALOGUE, 1), hold_out(FRAME)[1], CATALOGUE, config)[TARGET].min()
        == 1
    )
    found = train(TrainingInput(tmp_path, FRAME, CATALOGUE, config, retrieval=Blind()))
    assert found["epochs"][-1]["train_auc"] == 0
    assert found["held_out"]["auc"] < 0.7


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["retrieval=sr"], "sr has none"),
        (["retrieval=session"], "session learns from all of them in its last passes: choose two_tower"),
        (["retrieval=two_towre"], "Did you mean two_tower or"),
        (["candidates=1"], "candidates 1 is out of range"),
        ([], "is not there yet"),
    ],
)
def test_a_ranker_needs_a_model_that_retrieves(tmp_path: Path, options: list[str], expected: str) -> None:
    given = [part for option in options for part in ("--set", option)]
    command = ["train", "--model", "dlrm", *given, "--workspace", str(tmp_path / "ws"), "--json"]
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == 2
    assert expected in json.loads(ended.stdout.splitlines()[-1])["error"]


def test_a_ranker_is_no_baseline_and_has_no_vectors() -> None:
    assert isinstance(KINDS["dlrm"], RankerKind)
    assert not KINDS["dlrm"].has_vectors
    assert "dlrm" not in baselines()
