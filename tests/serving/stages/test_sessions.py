"""A session that the store does not know has the features of its clicks, as one that it knows had them then."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.serving.features.tables import SESSION_FEATURES, common_categories, session_table
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.sessions import SessionReader

ITEMS = 6
PRICES = st.none() | st.lists(st.none() | st.floats(0, 1e6), min_size=ITEMS, max_size=ITEMS)


@pytest.mark.hypothesis
@given(st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=30), PRICES)
def test_it_reads_as_the_stage_does(clicks: list[int], prices: list[float | None] | None) -> None:
    keys = np.arange(ITEMS) + 3
    catalogue = pl.DataFrame({"item_idx": keys, "category_idx": keys % 3 + 3, "train_clicks": keys})
    if prices is not None:  # many logs have none
        catalogue = catalogue.with_columns(pl.Series("price", prices, pl.Float64))
    items = np.array(clicks) + 3
    times = [datetime(2026, 1, 1) + timedelta(minutes=n) for n in range(len(items))]
    table = pl.DataFrame({"session_id": [1] * len(items), "timestamp": times, "item_idx": items})
    coded = table.with_columns((pl.col("item_idx") % 3 + 3).alias("category_idx"))
    then = session_table(coded, catalogue, common_categories(catalogue)).row(-1, named=True)
    nothing = {name: np.full(1, np.nan, np.float32) for name in SESSION_FEATURES}
    found = SessionReader.of(catalogue).completed(nothing, Requests.of([items.tolist()]))
    for name in set(SESSION_FEATURES) - {"seconds"}:
        assert found[name][0] == pytest.approx(then[name], rel=1e-6, nan_ok=True), name
    assert np.isnan(found["seconds"][0])
