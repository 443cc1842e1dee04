"""The exact neighbours are those that sorting every distance gives."""

import numpy as np
import pytest

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


@pytest.mark.parametrize("order", ["random", "ascending", "equal", "few", "infinite"])
@pytest.mark.parametrize("k", [1, 100])
def test_the_largest_of_wide_rows_are_found_whatever_their_order(order: str, k: int) -> None:
    random = np.random.default_rng(2)
    scores = random.normal(size=(9, 20_000)).astype(np.float32)
    if order == "ascending":
        scores.sort(axis=1)
    elif order == "equal":
        scores[:] = 1.5
    elif order == "few":  # fewer than k stand out, and no sampled column shows them
        scores[:] = 0
        scores[:, 1:60] = random.normal(size=(9, 59)) + 5
    elif order == "infinite":
        scores[:, 5:] = -np.inf
    values, columns = largest(scores, k)
    assert (values == -np.sort(-scores, axis=1)[:, :k]).all()
    assert (np.take_along_axis(scores, columns, axis=1) == values).all()
    assert all(len(set(row)) == k for row in columns.tolist())


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
