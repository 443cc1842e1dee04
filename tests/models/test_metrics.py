"""Measures against their definitions, worked out one example at a time."""

import math

import numpy as np

from pipeline.models.metrics import evaluate, rank, top


def _by_hand(scores: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    ranks, shown = [], set()
    for row, target in zip(scores, targets, strict=True):
        order = sorted(range(len(row)), key=lambda i: -row[i])
        ranks.append(order.index(target) + 1 if target >= 0 else math.inf)
        shown |= set(order[:20])
    return {
        "recall@10": sum(r <= 10 for r in ranks) / len(ranks),
        "recall@20": sum(r <= 20 for r in ranks) / len(ranks),
        "mrr@20": sum(1 / r for r in ranks if r <= 20) / len(ranks),
        "ndcg@20": sum(1 / math.log2(r + 1) for r in ranks if r <= 20) / len(ranks),
        "coverage@20": len(shown) / scores.shape[1],
        "examples": len(ranks),
    }


def test_the_measures_are_their_definitions() -> None:
    random = np.random.default_rng(1)
    scores = random.random((3000, 60), np.float32)
    targets = random.integers(-1, 60, 3000)
    found = evaluate(lambda rows: scores[rows], targets, 60)
    expected = _by_hand(scores, targets)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert abs(found[name] - value) < 1e-6, name


def test_a_target_outside_the_catalogue_is_a_miss() -> None:
    found = evaluate(lambda rows: np.ones((2, 5), np.float32)[rows], np.array([-1, -1]), 5)
    assert found["recall@20"] == found["mrr@20"] == 0


def test_equal_scores_do_not_flatter() -> None:
    ranks = rank(np.zeros((1, 101), np.float32), np.array([0]))
    assert ranks[0] == 51


def test_top_is_sorted_and_never_longer_than_the_catalogue() -> None:
    scores = np.array([[3, 1, 2]], np.float32)
    assert top(scores, 2).tolist() == [[0, 2]]
    assert top(scores, 20).tolist() == [[0, 2, 1]]
