"""Exact neighbours and recall hold wherever vectors lie and whatever their unit is, beside float80 brute force."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.arrays import Floats
from pipeline.core.errors import UserError
from pipeline.search.exact.blocked import ExactSearch, NumpyLike, nearest, numpy_arrays
from pipeline.search.exact.distance import pair_distances
from pipeline.search.libraries.base import METRICS, unit
from pipeline.search.measure import distances, exact, recall, shares
from pipeline.search.usable import usable_vectors

_EQUAL = 1e-6


def _brute(vectors: Floats, queries: Floats, metric: str) -> Any:
    """Give all distances (q, n) in extended precision, number by number."""
    wide, asked = vectors.astype(np.longdouble), queries.astype(np.longdouble)
    if metric == "COSINE":
        wide, asked = (a / np.sqrt((a * a).sum(1))[:, None] for a in (wide, asked))
    if metric == "IP":
        return np.stack([-(wide * query).sum(1) for query in asked])
    return np.stack([((wide - query) ** 2).sum(1) for query in asked]) / (2 if metric == "COSINE" else 1)


def _assert_exact(vectors: Floats, queries: Floats, metric: str, rows: Any) -> None:
    """Compare with brute force; what is equal to a millionth may stand in any order."""
    far, k = _brute(vectors, queries, metric), rows.shape[1]
    found, best = np.take_along_axis(far, rows, axis=1), np.sort(far, axis=1)[:, :k]
    spread = np.abs(best) if metric != "IP" else np.ptp(far, axis=1)[:, None]
    assert (np.abs(found - best) <= _EQUAL * spread + (1e-30 if metric == "COSINE" else 0)).all()
    assert all(len(set(row)) == k for row in rows.tolist())


@st.composite
def _cases(draw: Any) -> tuple[Floats, Floats, int]:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, dim = draw(st.integers(2, 400)), draw(st.integers(1, 40))
    made = random.normal(size=(n + 12, dim)) * 10 ** random.uniform(-draw(st.integers(0, 2)), 0, (n + 12, 1))
    made += draw(st.sampled_from([0.0, 1.0, 300.0, 1e4, 1e6])) * random.choice([1.0, -1.0], dim)
    if draw(st.booleans()):  # two groups, far from each other
        made[::2] += draw(st.sampled_from([10.0, 1e4]))
    if draw(st.booleans()):  # whole numbers, and so many equal distances
        made = np.round(made)
    vectors, queries = np.split((made * 10.0 ** draw(st.integers(-15, 15))).astype(np.float32), [n])
    vectors[random.integers(0, n, n // 2)] = vectors[0]
    if draw(st.booleans()):
        queries[:6] = vectors[:6] if n >= 6 else vectors[0]
    vectors[~vectors.any(1)] += np.float32(1)  # of zeros there is no cosine
    queries[~queries.any(1)] += np.float32(1)
    return vectors, queries, draw(st.one_of(st.just(n), st.integers(1, n)))


@settings(max_examples=60, deadline=None)
@given(_cases(), st.sampled_from(METRICS), st.sampled_from([None, (5, 37)]))
def test_they_are_those_of_brute_force_at_any_place_and_scale(
    case: tuple[Floats, Floats, int], metric: str, block: tuple[int, int] | None
) -> None:
    vectors, queries, k = case
    for arrays in (numpy_arrays(), NumpyLike(np, np.asarray)):
        rows, far = ExactSearch(arrays, vectors, metric).nearest(queries, k, block)
        _assert_exact(vectors, queries, metric, rows)
        assert (np.diff(far, axis=1) >= 0).all()
    written = pair_distances(vectors, queries, rows, metric)
    assert (np.diff(written, axis=1) >= -_EQUAL * np.abs(written[:, 1:])).all() or metric == "IP"


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0, 1000, 1e6])
def test_wide_vectors_far_from_the_origin_have_their_own_neighbours(metric: str, offset: float) -> None:
    random = np.random.default_rng(1)
    vectors, queries = ((random.normal(size=(n, 64)) + offset).astype(np.float32) for n in (9000, 40))
    rows, _ = nearest(numpy_arrays(), vectors, queries, 100, metric)
    _assert_exact(vectors, queries, metric, rows)
    assert (np.diff(distances(vectors, queries, rows, "COSINE" if metric == "IP" else metric)) >= 0).all() or (
        metric == "IP"
    )


def test_places_in_degrees_have_their_own_neighbours() -> None:
    random = np.random.default_rng(4)
    towns = random.uniform((-90, -180), (90, 180), (60, 2))
    places = (towns[random.integers(0, 60, 12_000)] + random.normal(0, 0.02, (12_000, 2))).astype(np.float32)
    rows, _ = nearest(numpy_arrays(), places[:-300], places[-300:], 10, "L2")
    _assert_exact(places[:-300], places[-300:], "L2", rows)
    assert (np.diff(distances(places[:-300], places[-300:], rows, "L2"), axis=1) >= 0).all()


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_finite_is_refused(metric: str) -> None:
    for value in (np.nan, np.inf, -np.inf):
        vectors = np.ones((50, 3), np.float32)
        vectors[7, 1] = value
        with pytest.raises(UserError, match="NaN or an infinite number"):
            nearest(numpy_arrays(), vectors, vectors[:2], 3, metric)
        with pytest.raises(UserError, match="Mine: row 8 holds"):
            usable_vectors("Mine", vectors, metric)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(METRICS), st.sampled_from([1e-15, 1e-4, 1e-3, 1e6, 1e15]))
def test_recall_does_not_depend_on_the_unit(seed: int, metric: str, scale: float) -> None:
    random = np.random.default_rng(seed)
    vectors, queries = (random.normal(size=(n, 8)).astype(np.float32) for n in (600, 20))
    best = exact(vectors, queries, 10, metric)
    found = np.where(random.random(best.shape) < 0.6, best, random.integers(0, 600, best.shape))
    other, asked = (np.asarray(a * np.float32(scale), np.float32) for a in (vectors, queries))
    wanted = shares(vectors, queries, found, best, metric)
    assert np.allclose(shares(other, asked, found, exact(other, asked, 10, metric), metric), wanted, atol=0.11)
    assert abs(shares(other, asked, found, best, metric).mean() - wanted.mean()) < 0.011
    assert wanted.mean() < 0.85


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0, 300, 1e4])
def test_answers_at_random_have_no_recall_wherever_vectors_lie(metric: str, offset: float) -> None:
    random = np.random.default_rng(2)
    vectors, queries = ((random.normal(size=(n, 16)) + offset).astype(np.float32) for n in (5000, 50))
    ids = np.arange(5000)
    assert recall(ids, vectors, queries, random.integers(0, 5000, (50, 10)), metric) < 0.05
    assert recall(ids, vectors, queries, exact(vectors, queries, 10, metric), metric) == 1.0


@pytest.mark.parametrize("metric", METRICS)
def test_any_of_equals_is_right_and_a_clearly_farther_one_is_not(metric: str) -> None:
    vectors = np.repeat(np.array([[3, 1], [1, 3], [-2, 1]], np.float32), 40, axis=0)
    asked = np.array([[3, 1]], np.float32)
    assert recall(np.arange(120), vectors, asked, np.array([[38, 17, 5]]), metric) == 1.0
    assert recall(np.arange(120), vectors, asked, np.array([[38, 60, -1]]), metric) == pytest.approx(1 / 3)
    assert recall(np.arange(120), vectors, asked, np.array([[38, 38, 38]]), metric) == pytest.approx(1 / 3)


def test_a_query_or_a_vector_of_zeros_has_no_direction_and_gives_no_nan() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    vectors[3] = 0
    asked = np.array([[0, 0, 0], [2, 0, 0]], np.float32)
    rows, similar = nearest(numpy_arrays(), vectors, asked, 4, "COSINE")
    assert similar.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0]]
    assert rows[1, 0] == 0
    assert np.isfinite(distances(vectors, asked, rows, "COSINE")).all()
    with pytest.raises(UserError, match=r"Mine: 1 of 4 vectors is all zeros \(row 4\), with no direction"):
        usable_vectors("Mine", vectors, "COSINE")
    with pytest.raises(UserError, match=r"all zeros \('a', 'b'\)"):
        usable_vectors("Mine", np.zeros((2, 3)), "COSINE", ["a", "b"])
    assert (usable_vectors("Mine", vectors, "L2") == vectors).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e25])
def test_vectors_of_any_length_are_scaled_to_one(scale: float) -> None:
    assert unit(np.array([[3, 4]], np.float32) * np.float32(scale))[0].tolist() == pytest.approx([0.6, 0.8])
