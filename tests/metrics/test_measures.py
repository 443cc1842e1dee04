"""Measures against their definitions, worked out one example at a time."""

import math

import numpy as np
from scipy.sparse import csr_matrix

from pipeline.metrics.ranking import MISS, rank, rank_all, ranking_figures, top


def _by_hand(scores: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    ranks, shown = [], set()
    for row, target in zip(scores, targets, strict=True):
        order = sorted(range(len(row)), key=lambda i: -row[i])
        ranks.append(order.index(target) + 1 if target >= 0 else math.inf)
        shown |= set(order[:20])
    return {
        "recall@5": sum(r <= 5 for r in ranks) / len(ranks),
        "recall@10": sum(r <= 10 for r in ranks) / len(ranks),
        "recall@20": sum(r <= 20 for r in ranks) / len(ranks),
        "mrr@10": sum(1 / r for r in ranks if r <= 10) / len(ranks),
        "mrr@20": sum(1 / r for r in ranks if r <= 20) / len(ranks),
        "ndcg@20": sum(1 / math.log2(r + 1) for r in ranks if r <= 20) / len(ranks),
        "coverage@20": len(shown) / scores.shape[1],
        "examples": len(ranks),
    }


def test_the_measures_are_their_definitions() -> None:
    random = np.random.default_rng(1)
    scores = random.random((3000, 60), np.float32)
    targets = random.integers(-1, 60, 3000)
    found = ranking_figures(lambda rows: scores[rows], targets, 60)
    expected = _by_hand(scores, targets)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert abs(found[name] - value) < 1e-6, name


def test_a_target_outside_the_catalogue_is_a_miss() -> None:
    found = ranking_figures(lambda rows: np.ones((2, 5), np.float32)[rows], np.array([-1, -1]), 5)
    assert found["recall@20"] == found["mrr@20"] == 0


def test_equal_scores_do_not_flatter() -> None:
    ranks = rank(np.zeros((1, 101), np.float32), np.array([0]))
    assert ranks[0] == 51


def test_top_is_sorted_and_never_longer_than_the_catalogue() -> None:
    scores = np.array([[3, 1, 2]], np.float32)
    assert top(scores, 2).tolist() == [[0, 2]]
    assert top(scores, 20).tolist() == [[0, 2, 1]]


def test_popularity_is_the_mean_of_what_is_recommended() -> None:
    scores = np.array([[3, 2, 1] + [0] * 27, [1, 2, 3] + [0] * 27], np.float32)
    popularity = np.linspace(1, 0, 30).astype(np.float32)
    expected = np.mean([popularity[top(row[None], 20)[0]].mean() for row in scores])
    found = rank_all(lambda rows: scores[rows], np.array([0, 1]), popularity).figures()
    assert abs(found["popularity@20"] - expected) < 1e-6


def test_sparse_scores_rank_as_dense_ones() -> None:
    random = np.random.default_rng(2)
    dense = np.where(random.random((500, 60)) < 0.6, random.random((500, 60)), 0).astype(np.float32)
    targets = random.integers(-1, 60, 500)
    ranks = rank(csr_matrix(dense), targets)
    scored = (targets >= 0) & (dense[np.arange(500), targets] > 0)
    assert (ranks[scored] == rank(dense, targets)[scored]).all()
    assert (ranks[~scored] == MISS).all()
    assert (top(csr_matrix(dense), 5) == top(dense, 5)).all()


def test_what_is_not_scored_is_not_recommended() -> None:
    few = np.array([[0, 2, 0, 1]], np.float32)
    assert top(csr_matrix(few), 3).tolist() == [[1, 3, -1]]
    assert top(np.where(few > 0, few, -np.inf), 3).tolist() == [[1, 3, -1]]
    assert rank(np.where(few > 0, few, -np.inf), np.array([0])).tolist() == [MISS]


def test_the_top_of_a_wide_catalogue_is_that_of_sorting() -> None:
    scores = np.random.default_rng(3).permuted(np.tile(np.arange(5000, dtype=np.float32), (40, 1)), axis=1)
    assert (top(scores, 20) == np.argsort(-scores, axis=1)[:, :20]).all()
    few = np.where(scores >= 4993, scores, -np.inf).astype(np.float32)
    assert (top(few, 20)[:, :7] == np.argsort(-few, axis=1)[:, :7]).all()
    assert (top(few, 20)[:, 7:] == -1).all()
