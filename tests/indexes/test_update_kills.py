"""A change that is cut off is made whole by the next one."""

import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import numpy as np
import polars as pl
import pytest

from pipeline.indexes.registry import find_index
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Query, Recommender
from pipeline.store.workspace import read_json
from tests.conftest import cli, wait_for
from tests.indexes.changed import HISTORY, ITEMS, rows_of

pytestmark = pytest.mark.milvus


@pytest.mark.parametrize("after_s", [0.3, pytest.param(0.0, marks=pytest.mark.long)])
def test_killed_in_mid_upsert_it_is_made_whole_by_another(
    shop: Recommender, engine: MilvusEngine, tmp_path: Path, after_s: float
) -> None:
    root, many = shop.workspace.root, 60_000
    vectors = pl.Series("vector", np.zeros((many, 16), np.float32), dtype=pl.Array(pl.Float32, 16))
    file = tmp_path / "many.parquet"
    pl.DataFrame({"id": [f"m{n}" for n in range(many - 2)] + ["i5", "i6"], "vector": vectors}).write_parquet(file)
    command = [sys.executable, "-m", "pipeline", "index", "upsert", ITEMS, "--file", str(file)]
    process = subprocess.Popen([*command, "--workspace", str(root)], stderr=subprocess.DEVNULL)
    changes = shop.workspace.stage(f"indexes/{ITEMS}") / "changes.json"
    wait_for(changes.exists, 60, "the upsert to begin")
    sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    if "under_way" in (read_json(changes) or {}):
        assert find_index(shop.workspace, ITEMS)["count"] is None
    assert shop.recommend(shop.check(HISTORY, Query(k=3, index=ITEMS, filter="item_id != 'm1'")), engine)["items"]
    code, answer = cli(root, "index", "upsert", ITEMS, "--file", str(file))
    assert code == 0, answer
    assert (answer["count"], answer["added"], answer["deleted"]) == (300 + many - 2, many - 2, 0)
    assert answer["new"] + answer["replaced"] == many
    rows = rows_of(shop, engine)
    assert len(rows) == answer["count"]
    assert (rows["i5"]["id"], rows["i6"]["id"]) == (8, 9)
    assert find_index(shop.workspace, ITEMS)["count"] == answer["count"]
