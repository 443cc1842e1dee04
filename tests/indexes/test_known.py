"""What is told of an item is what a card, a line of CSV and JSON can show."""

import numpy as np
import polars as pl

from pipeline.indexes.known import Known
from tests.made.road import encoder


def test_nested_metadata_of_an_earlier_version_is_left_out() -> None:
    catalogue = pl.DataFrame(
        {"item_id": ["a"], "category": ["x"], "tags": [["t"]], "size": [{"w": 1}], "blob": [b"\xff"], "price": [2.5]}
    )
    told = Known(encoder(np.random.default_rng(0), 1), catalogue, "").item(0)
    assert told == {"item_id": "a", "category": "x", "price": 2.5}
    assert pl.from_dicts([told]).write_csv() == "item_id,category,price\na,x,2.5\n"
