"""Candidates and their features, against what they say they are, worked out one pair at a time."""

import math
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, OUT_OF_VOCABULARY
from pipeline.metrics.ranking import Scores
from pipeline.models.dlrm.pairs import CATEGORICAL, CONTINUOUS, PairTables, RetrievedItems, retrieve
from pipeline.sessions.histories import Histories
from tests.made import clicks as made

ITEMS, K, RARE = 30, 10, 15
FRAME, SESSIONS = made.clicks(150, ITEMS)
ASKED = [*made.clicks(20, ITEMS, seed=1, longest=9)[1], [3], []]
PRICES = [None if n % 5 == 0 else float(n) for n in range(ITEMS)]
CATALOGUE = made.catalogue(ITEMS, FRAME).with_columns(pl.Series("price", PRICES))
SCORES = np.random.default_rng(0).random((len(ASKED), ITEMS), np.float32)


class Fixed:
    """Retrieve by scores that are given, whatever the history."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores

    def score(self, histories: Histories) -> Scores:
        return self.scores


def test_retrieval_is_the_top_and_others_keep_their_rank() -> None:
    others = np.random.default_rng(1).integers(0, ITEMS, (len(ASKED), 6))
    found = retrieve(Fixed(SCORES), made.histories(ASKED), K, others)
    for row, scores in enumerate(SCORES):
        order = np.argsort(-scores)[:K].tolist()
        assert found.items[row].tolist() == [*order, *others[row]]
        ranks = [order.index(item) + 1 if item in order else K + 1 for item in others[row]]
        assert found.ranks[row].tolist() == [*range(1, K + 1), *ranks]
        standard = (scores - scores[order].mean()) / scores[order].std()
        assert np.allclose(found.scores[row], standard[found.items[row]], atol=1e-4)


def test_fewer_than_asked_are_marked() -> None:
    few = np.where(SCORES > 0.9, SCORES, 0)
    found = retrieve(Fixed(csr_matrix(few)), made.histories(ASKED), K)
    for row, scores in enumerate(few):
        assert found.items[row].tolist() == ([*np.argsort(-scores)[: (scores > 0).sum()], *[-1] * K])[:K]


def test_features_are_what_they_say(tmp_path: Path) -> None:
    PairTables.of(FRAME, CATALOGUE, RARE).save(tmp_path)
    features, histories = PairTables.load(tmp_path, CATALOGUE, RARE), made.histories(ASKED)
    found = retrieve(Fixed(SCORES), histories, K)
    values = features.continuous(histories, found)
    codes = features.categorical(histories, found)
    counts = CATALOGUE["train_clicks"].to_list()
    categories = CATALOGUE[CATEGORY_IDX].to_list()
    follows = np.zeros((ITEMS, ITEMS))
    for session in SESSIONS:
        for later, item in enumerate(session):
            for step in range(1, min(10, later) + 1):
                follows[session[later - step], item] += 1 / step
    for row, asked in enumerate(ASKED):
        for place, item in enumerate(found.items[row]):
            of = dict(zip(CONTINUOUS, values[row, place].tolist(), strict=True))
            code = dict(zip(CATEGORICAL, codes[row, place].tolist(), strict=True))
            assert code["item"] == (FIRST_IDX + item if counts[item] >= RARE else OUT_OF_VOCABULARY)
            assert of["rank"] == np.float32(1 / (place + 1))
            assert math.isclose(of["popularity"], math.log1p(counts[item]) / math.log1p(max(counts)), abs_tol=1e-5)
            back = [n for n, clicked in enumerate(reversed(asked)) if clicked == item]
            assert math.isclose(of["recency"], 1 / (back[0] + 1) if back else 0, abs_tol=1e-6)
            if not asked:
                assert code["last_item"] == code["last_category"] == of["rule"] == of["similar_all"] == 0
                continue
            last = asked[-1]
            assert code["last_category"] == categories[last]
            assert of["same_category"] == (categories[last] == categories[item])
            share = sum(categories[clicked] == categories[item] for clicked in asked) / len(asked)
            assert math.isclose(of["category_share"], share, abs_tol=1e-6)
            assert math.isclose(of["rule"], follows[last, item] / follows[last].sum(), abs_tol=1e-5)
            dear, cheap = PRICES[item], PRICES[last]
            priced = math.log(dear / cheap) if dear and cheap else 0
            assert math.isclose(of["price"], priced, abs_tol=1e-5)


def test_no_session_is_a_full_stop() -> None:
    features = PairTables.of(FRAME, CATALOGUE.drop("price"), RARE)
    empty = RetrievedItems(np.full((1, 2), -1), np.zeros((1, 2), np.float32), np.ones((1, 2), np.int64))
    assert np.isfinite(features.continuous(made.histories([[]]), empty)).all()
