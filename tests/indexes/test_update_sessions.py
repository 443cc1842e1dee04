"""Indexes of sessions and of imported vectors change too."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.registry import find_index
from pipeline.indexes.update import check_items, put_rows
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Recommender
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from tests.conftest import cli_here
from tests.indexes.changed import BROUGHT, SESSIONS
from tests.made.road import Nothing, make_road

pytestmark = pytest.mark.milvus


def test_sessions_are_appended_and_replaced(served: Workspace, engine: MilvusEngine, tmp_path: Path) -> None:
    make_road(served)
    build_index(served, IndexConfig(vectors="sessions", label="grow"), engine)
    name, shop, log = f"{SESSIONS}-grow", Recommender(served), tmp_path / "log.csv"
    clicks = [("7", "i1"), ("7", "unknown"), ("new", "i2"), ("new", "i3"), ("none", "unknown")]
    log.write_text("session,time,item\n" + "".join(f"{s},2024-01-01,{i}\n" for s, i in clicks))
    code, answer = cli_here(served.root, "index", "append", name, "--clicks", str(log))
    assert code == 0, answer
    told = ("new", "replaced", "skipped", "unknown_clicks", "count", "added", "deleted")
    assert [answer[k] for k in told] == [1, 1, 1, 2, 401, 1, 0]
    collection = find_index(served, name)["collection"]
    for session, key, history in (("7", 7, ["i1"]), ("new", 400, ["i2", "i3"])):
        rows = engine.rows(collection, f"session_id == '{session}'", ["id", "vector"])
        assert [row["id"] for row in rows] == [key]
        assert np.allclose(rows[0]["vector"], shop.now.encode(history)[0], atol=1e-5)
    log.write_text("session,time,item\nnew,2024-01-02,i9\n")
    code, answer = cli_here(
        served.root, "index", "append", name, "--clicks", str(log), "--columns", "session=session,time=time,item=item"
    )
    assert (answer["new"], answer["replaced"], answer["count"]) == (0, 1, 401)
    rows = engine.rows(collection, "session_id == 'new'", ["vector"])
    assert np.allclose(rows[0]["vector"], shop.now.encode(["i9"])[0], atol=1e-5)
    log.write_text("session,time,item\nx,2024-01-02,nothing\n")
    _, answer = cli_here(served.root, "index", "append", name, "--clicks", str(log))
    assert [answer[k] for k in told] == [0, 0, 1, 1, 401, 1, 0]


def test_imported_vectors_change_too(served: Workspace, engine: MilvusEngine) -> None:
    def mine(folder: Path, report: object) -> dict[str, int]:
        vectors = pl.Series("vector", np.eye(40, 16, dtype=np.float32), dtype=pl.Array(pl.Float32, 16))
        pl.DataFrame({"id": [f"v{n}" for n in range(40)], "vector": vectors}).write_parquet(folder / "items.parquet")
        return {"items": 40, "dim": 16}

    run_stage(served, "vectors/mine", Nothing(), mine)
    build_index(served, IndexConfig(model="mine"), engine)
    index = find_index(served, BROUGHT)
    check_items(index)
    assert put_rows(served, index, ["v3", "w"], np.full((2, 16), 5, np.float32), None, engine) == {
        "new": 1,
        "replaced": 1,
    }
    found = engine.search(index["collection"], np.ones((1, 16), np.float32), 2, {"ef": 10})
    assert set(found.ids[0].tolist()) == {3, 40}
