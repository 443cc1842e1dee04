"""The exact neighbours are those that sorting every distance gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.search.exact import neighbors
from pipeline.search.exact.blocked import nearest, numpy_arrays
from pipeline.search.exact.selection import largest


def test_neighbours_are_those_of_brute_force() -> None:
    vectors = np.random.default_rng(5).normal(size=(300, 8)).astype(np.float32)
    rows, distances = neighbors.neighbors(vectors, 12)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.argsort(-(unit @ unit.T), axis=1)[:, :12]
    assert (np.sort(rows, axis=1) == np.sort(expected, axis=1)).all()
    assert (rows[:, 0] == np.arange(300)).all()
    assert (np.diff(distances, axis=1) >= 0).all()


def test_a_row_is_its_own_first_neighbour_even_among_more_equals_than_there_are_places() -> None:
    vectors = np.ones((40, 4), np.float32)
    rows, distances = neighbors.neighbors(vectors, 5)
    assert (rows[:, 0] == np.arange(40)).all()
    assert all(len(set(row)) == 5 for row in rows.tolist())
    assert (distances == 0).all()


_FEW = [-np.inf, np.nan, np.inf, -1.0, 0.0, 1.0, 2.0]  # few, so that many are equal


def _by_sorting(scores: np.ndarray, k: int, floor: np.ndarray, later: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sort whole rows in float64: what is no candidate last, equal ones by their column."""
    wide = np.where(scores > floor[:, None], scores, -np.inf).astype(np.float64)
    columns = np.arange(wide.shape[1]) * (-1 if later else 1)
    order = np.array([np.lexsort((columns, -row)) for row in wide])[:, :k]
    values = np.take_along_axis(wide, order, axis=1)
    return values, np.where(values > -np.inf, order, -1)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 130), st.integers(1, 700)),
    st.integers(1, 30),
    st.sampled_from(["float32", "float64"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_the_largest_are_those_of_sorting_whole_rows_equal_ones_too(
    seed: int, shape: tuple[int, int], k: int, dtype: str, apart: bool, bounded: bool, later: bool
) -> None:
    random = np.random.default_rng(seed)
    scores = (random.normal(size=shape) if apart else random.choice(_FEW, shape)).astype(dtype)
    scores[random.random(shape[0]) < 0.1] = random.choice(_FEW)  # rows in which all are equal
    floor = random.choice([-1.0, 0.5, 1.0], shape[0]).astype(dtype) if bounded else None
    k = min(k, shape[1])
    values, columns = largest(scores, k, floor, later)
    expected = _by_sorting(scores, k, np.full(shape[0], -np.inf) if floor is None else floor, later)
    assert (values == expected[0]).all()
    assert (columns == expected[1]).all()


@pytest.mark.parametrize("order", ["random", "ascending", "equal", "few", "infinite"])
@pytest.mark.parametrize("k", [1, 100])
def test_the_largest_of_wide_rows_are_found_whatever_their_order(order: str, k: int) -> None:
    random = np.random.default_rng(2)
    scores = random.normal(size=(9, 20_000)).astype(np.float32)
    if order == "ascending":
        scores.sort(axis=1)
    elif order == "equal":
        scores[:] = 1.5
    elif order == "few":  # fewer than k stand out of equal ones
        scores[:] = 0
        scores[:, 1:60] = random.normal(size=(9, 59)) + 5
    elif order == "infinite":
        scores[:, 5:] = -np.inf
    for later in (False, True):
        values, columns = largest(scores, k, later=later)
        expected = _by_sorting(scores, k, np.full(9, -np.inf), later)
        assert (values == expected[0]).all()
        assert (columns == expected[1]).all()


@pytest.mark.parametrize("metric", ["IP", "L2", "COSINE"])
@pytest.mark.parametrize("block", [None, (100, 9000), (7, 30_000)])
def test_wide_blocks_give_what_the_whole_matrix_gives(metric: str, block: tuple[int, int] | None) -> None:
    random = np.random.default_rng(8)
    vectors, queries = (random.normal(size=(n, 8)).astype(np.float32) for n in (30_000, 150))
    vectors = vectors[np.argsort(-vectors[:, 0])]  # the nearest lie together: a later block has few or many of them
    vectors[3] = 0
    rows, scores = nearest(numpy_arrays(), vectors, queries, 20, metric, block)
    wide, asked = vectors.astype(np.float64), queries.astype(np.float64)
    near = asked @ wide.T
    if metric == "L2":
        near = -((asked**2).sum(1)[:, None] + (wide**2).sum(1) - 2 * near)
    elif metric == "COSINE":
        near /= np.maximum(np.linalg.norm(wide, axis=1) * np.linalg.norm(asked, axis=1)[:, None], 1e-12)
    expected = -np.sort(-near, axis=1)[:, :20]
    assert np.allclose(-scores if metric == "L2" else scores, expected, atol=1e-4)
    assert np.allclose(np.take_along_axis(near, rows, axis=1), expected, atol=1e-4)
