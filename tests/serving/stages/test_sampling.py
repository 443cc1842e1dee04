"""Sampling draws from the softmax without replacement, the same for a request alone and in a batch, with one seed."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.serving.stages.sampling import softmax_order, streams

SCORES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20)


def _order(keys: list[int], scores: list[float], temperature: float, seed: int = 0, code: int = 7) -> list[int]:
    of = streams(np.array([seed]), np.array([code], np.uint64))
    found = softmax_order(np.array([keys]), np.array([scores], np.float32), np.array([temperature], np.float32), of)
    return [int(n) for n in found[0]]


def test_pairs_are_drawn_as_often_as_the_softmax_says() -> None:
    scores, temperature, draws = np.array([1.0, 0.2, -0.5, -3.0]), 0.8, 40_000
    of = streams(np.arange(draws), np.full(draws, 3, np.uint64))
    keys = np.tile(np.arange(4) + 3, (draws, 1))
    found = softmax_order(
        keys, np.tile(scores, (draws, 1)).astype(np.float32), np.full(draws, temperature, np.float32), of
    )
    weights = np.exp(scores / temperature)
    for first, second in itertools.permutations(range(4), 2):
        expected = weights[first] / weights.sum() * weights[second] / (weights.sum() - weights[first])
        seen = ((found[:, 0] == first) & (found[:, 1] == second)).mean()
        assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / draws) + 1e-4)


@pytest.mark.hypothesis
@given(SCORES, st.integers(-(2**63), 2**63 - 1), st.randoms())
def test_the_sample_follows_from_seed_history_and_items_not_from_their_places(
    scores: list[float], seed: int, random: object
) -> None:
    keys = list(range(3, 3 + len(scores)))
    shuffled = list(zip(keys, scores, strict=True))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    noisy = [float(key) * 1e-3 for key in keys]  # told apart, so that no tie hides the order
    first = [keys[n] for n in _order(keys, noisy, 0.5, seed)]
    moved = [key for key, _ in shuffled]
    assert [moved[n] for n in _order(moved, [key * 1e-3 for key in moved], 0.5, seed)] == first


@pytest.mark.hypothesis
@given(SCORES, st.sampled_from([0.0, 1e-3, 1.0, 50.0]), st.integers(0, 99))
def test_it_is_a_permutation_with_what_is_no_candidate_last(scores: list[float], temperature: float, seed: int) -> None:
    keys = [n if n % 3 else -1 for n in range(3, 3 + len(scores))]
    order = _order(keys, scores, temperature, seed)
    assert sorted(order) == list(range(len(scores)))
    there = [keys[n] >= 0 for n in order]
    assert there == sorted(there, reverse=True)
    if temperature == 0:
        ranked = [scores[n] for n in order if keys[n] >= 0]
        assert ranked == sorted(ranked, reverse=True)


def test_scores_below_zero_and_a_batch_are_as_any_other() -> None:
    keys, scores = np.array([[3, 4, 5], [6, 7, 8]]), np.array([[-9.0, -8.0, -7.0], [-1.0, -2.0, -3.0]], np.float32)
    of = streams(np.array([1, 1]), np.array([5, 6], np.uint64))
    both = softmax_order(keys, scores, np.array([1.0, 2.0], np.float32), of)
    for row, temperature in ((0, 1.0), (1, 2.0)):
        alone = softmax_order(keys[[row]], scores[[row]], np.array([temperature], np.float32), of[[row]])
        assert alone[0].tolist() == both[row].tolist()


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    with pytest.raises(UserError, match="not a finite number"):
        _order([3, 4], [1.0, score], 1.0)
    assert _order([3, -1], [1.0, score], 1.0) == [0, 1]


@pytest.mark.parametrize("temperature", [float("nan"), -1.0, float("inf"), 1e7])
def test_a_temperature_out_of_range_is_refused(temperature: float) -> None:
    with pytest.raises(UserError, match="out of range: choose 0 to 1,000,000"):
        _order([3, 4], [1.0, 2.0], temperature)
