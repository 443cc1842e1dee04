"""What is kept of a store is never older than the store."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.serving.features.fill import fill
from pipeline.serving.features.online import OnlineFeatures
from pipeline.serving.features.repository import filled, keep_filled
from pipeline.serving.features.sqlite import database, entity_keys, table_name, value_bytes
from pipeline.store.workspace import Workspace

CHANGE = st.tuples(st.integers(3, 42), st.floats(0, 1e6, width=32))


@pytest.fixture(scope="module")
def online(stored: tuple[Workspace, Path], tmp_path_factory: pytest.TempPathFactory) -> OnlineFeatures:
    workspace, folder = stored
    fill(workspace, folder)
    copy = tmp_path_factory.mktemp("remembered") / "features"
    shutil.copytree(folder, copy)
    keep_filled(copy, filled(folder))
    return OnlineFeatures(copy)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(CHANGE, st.lists(st.integers(3, 60), min_size=1, max_size=6)), max_size=12))
def test_a_change_by_anybody_is_seen_by_the_next_request(online: OnlineFeatures, steps: list[object]) -> None:
    for step in steps:
        if isinstance(step, tuple):
            key, price = step
            written = value_bytes(np.array([price], np.float32))[0]
            with sqlite3.connect(database(online.folder)) as connection:
                connection.execute(
                    f'UPDATE "{table_name(online.folder, "items")}" SET value = ? '
                    "WHERE entity_key = ? AND feature_name = 'price'",
                    (written, entity_keys("item_idx", np.array([key]))[0]),
                )
            connection.close()
        else:
            keys = np.array(step)
            plain = OnlineFeatures(online.folder).read("items", keys)
            for name, values in online.read("items", keys).items():
                np.testing.assert_array_equal(values, plain[name])


def test_what_is_kept_is_not_told_when_the_store_is_gone(online: OnlineFeatures) -> None:
    keys = np.array([5, 6])
    online.read("items", keys)
    moved = database(online.folder).rename(online.folder / "away.db")
    try:
        with pytest.raises(UserError, match="is gone"):
            online.read("items", keys)
    finally:
        moved.rename(database(online.folder))
    assert np.isfinite(online.read("items", keys)["train_clicks"]).all()
