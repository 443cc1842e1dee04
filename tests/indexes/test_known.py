"""What is told of an item is what a card, a line of CSV and JSON can show."""

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.indexes.known import KnownItems
from tests.made.road import encoder


def test_nested_metadata_of_an_earlier_version_is_left_out() -> None:
    catalogue = pl.DataFrame(
        {"item_id": ["a"], "category": ["x"], "tags": [["t"]], "size": [{"w": 1}], "blob": [b"\xff"], "price": [2.5]}
    )
    told = KnownItems(encoder(np.random.default_rng(0), 1), catalogue, "").item(0)
    assert told == {"item_id": "a", "category": "x", "price": 2.5}
    assert pl.from_dicts([told]).write_csv() == "item_id,category,price\na,x,2.5\n"


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.integers(-3, 3).map(float)), st.integers(1, 70))
def test_the_nearest_are_the_best_scores_and_of_equal_ones_the_first(scores: np.ndarray, k: int) -> None:
    made = encoder(np.random.default_rng(0), len(scores))
    vectors = np.zeros_like(made.vectors)
    vectors[:, 0] = scores
    catalogue = pl.DataFrame({"item_id": [str(row) for row in range(len(scores))]})
    vector = np.zeros((1, vectors.shape[1]), np.float32)
    vector[0, 0] = 1
    found = KnownItems(replace(made, vectors=vectors), catalogue, "").exact(vector, k)
    assert found == [str(row) for row in np.argsort(-scores, kind="stable")[:k]]
