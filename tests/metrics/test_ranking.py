"""The ranking for every input – ties, NaN, -inf, any scale – against its definition in plain Python and float64."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from pipeline.core.arrays import Floats, Ints
from pipeline.metrics.ranking import MISS, rank, rank_all, top

QUICK = settings(max_examples=150, deadline=None)
_FEW = st.sampled_from([-np.inf, np.nan, np.inf, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])  # few, so that many are equal
_ANY = st.floats(width=32, allow_nan=True, allow_infinity=True)


@st.composite
def scored(draw: st.DrawFn, values: st.SearchStrategy[float] = _FEW | _ANY) -> tuple[Floats, Ints]:
    """Draw scores (n, items) and a target for each row, -1 for one outside the catalogue."""
    rows, items = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    scores = draw(arrays(np.float32, (rows, items), elements=values))
    return scores, draw(arrays(np.int64, rows, elements=st.integers(-1, items - 1)))


def _is_scored(value: float) -> bool:
    return not math.isnan(value) and value > -math.inf


def _rank_by_hand(row: list[float], target: int) -> float:
    """Give the mean of all places that the target has when equal scores are put in every order."""
    if target < 0 or not _is_scored(row[target]):
        return MISS
    places = [i + 1 for i, value in enumerate(sorted(filter(_is_scored, row), reverse=True)) if value == row[target]]
    return sum(places) / len(places)


def _top_by_hand(row: list[float], k: int) -> list[int]:
    best = sorted((i for i, value in enumerate(row) if _is_scored(value)), key=lambda i: (-row[i], -i))
    k = min(k, len(row))
    return (best + [-1] * k)[:k]


@QUICK
@given(scored())
@example((np.full((1, 40), np.nan, np.float32), np.array([3])))
@example((np.zeros((2, 2), np.float32), np.array([0, 1])))
def test_a_rank_is_the_mean_of_the_places_that_equal_scores_share(case: tuple[Floats, Ints]) -> None:
    scores, targets = case
    expected = [_rank_by_hand(row, target) for row, target in zip(scores.tolist(), targets.tolist(), strict=True)]
    assert rank(scores, targets).tolist() == expected


@QUICK
@given(scored(st.integers(-50, 50).map(float)), st.integers(-20, 20), st.integers(-1000, 1000))
def test_scale_and_offset_change_no_rank(case: tuple[Floats, Ints], power: int, offset: int) -> None:
    scores, targets = case
    moved = np.ldexp(scores + np.float32(offset), power)
    assert (rank(moved, targets) == rank(scores, targets)).all()
    assert (top(moved, 7) == top(scores, 7)).all()


@QUICK
@given(scored(), st.integers(1, 25))
def test_the_top_is_that_of_sorting(case: tuple[Floats, Ints], k: int) -> None:
    scores, _ = case
    assert top(scores, k).tolist() == [_top_by_hand(row, k) for row in scores.tolist()]


@QUICK
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 150), _FEW)
@example(0, 1, 1, np.nan)
def test_the_top_of_a_wide_catalogue_is_that_of_sorting(seed: int, k: int, rest: int, rare: float) -> None:
    random = np.random.default_rng(seed)
    scores = random.choice([-np.inf, np.nan, 0, 1, 2, 3], (3, 600 * k + rest)).astype(np.float32)
    scores[random.random(scores.shape) < 0.01] = rare
    scores[0, ::3] = np.nan  # whole groups of columns, however they are put together
    assert top(scores, k).tolist() == [_top_by_hand(row, k) for row in scores.tolist()]


@QUICK
@given(scored(), st.integers(1, 25))
def test_sparse_scores_rank_as_dense_ones_without_those_that_are_none(case: tuple[Floats, Ints], k: int) -> None:
    scores, targets = case
    stored = csr_matrix(np.nan_to_num(scores, nan=np.nan, posinf=9, neginf=-9))
    dense = stored.toarray()
    dense[~(dense > 0)] = -np.inf
    assert (rank(stored, targets) == rank(dense, targets)).all()
    assert (top(stored, k) == top(dense, k)).all()


@QUICK
@given(scored())
def test_the_measures_are_their_definitions(case: tuple[Floats, Ints]) -> None:
    scores, targets = case
    items = scores.shape[1]
    popularity = np.linspace(1, 0, items).astype(np.float32)
    found = rank_all(lambda rows: scores[rows], targets, popularity).figures()
    ranks = [_rank_by_hand(row, target) for row, target in zip(scores.tolist(), targets.tolist(), strict=True)]
    shown = [[i for i in _top_by_hand(row, 20) if i >= 0] for row in scores.tolist()]
    mean = [sum(float(popularity[i]) for i in row) / len(row) if row else 0.0 for row in shown]
    expected = {f"recall@{k}": sum(r <= k for r in ranks) / len(ranks) for k in (5, 10, 20)}
    expected |= {f"mrr@{k}": sum(1 / r for r in ranks if r <= k) / len(ranks) for k in (10, 20)}
    expected["ndcg@20"] = sum(1 / math.log2(r + 1) for r in ranks if r <= 20) / len(ranks)
    expected["coverage@20"] = len({i for row in shown for i in row}) / items
    expected["popularity@20"] = sum(mean) / len(mean)
    assert found.pop("examples") == len(targets)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=2e-6), name


def test_a_model_that_scores_nothing_but_nan_finds_nothing() -> None:
    scores = np.full((4, 30), np.nan, np.float32)
    found = rank_all(lambda rows: scores[rows], np.arange(4), np.ones(30, np.float32)).figures()
    assert all(found[name] == 0 for name in found if name != "examples")


def test_a_ranker_is_judged_by_the_same_ranks() -> None:
    from pipeline.models.dlrm.fit import Judge

    hit, there = np.eye(3, 10, dtype=bool), np.ones((3, 10), bool)
    judge = Judge(np.zeros((3, 10, 4), np.int64), np.zeros((3, 10, 13), np.float32), hit, there)

    class Network:
        def __init__(self, logit: float) -> None:
            self.logit = logit

        def logits(self, categorical: Ints, continuous: Floats) -> Floats:
            return np.full(len(categorical), self.logit, np.float32)

    assert judge.figures(Network(np.nan))["mrr@20"] == 0  # type: ignore[arg-type]
    assert judge.figures(Network(1.0))["mrr@20"] == pytest.approx(1 / 5.5, abs=1e-6)  # type: ignore[arg-type]
    assert judge.retrieval()["mrr@20"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3, abs=1e-6)
