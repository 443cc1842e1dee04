"""Rows that come to a built index, or leave it: right in the next answer, counted, and never doubled by a kill."""

import signal
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.clicks import ClickSource
from pipeline.core.arrays import Floats
from pipeline.core.errors import UserError
from pipeline.core.stage import run_stage
from pipeline.core.workspace import Workspace, read_json
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.registry import find_index
from pipeline.indexes.update import check_items, check_sessions, put, show, take_out
from pipeline.indexes.update_input import read_rows, read_sessions
from pipeline.search.engine import Scalar
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Query, Recommender
from tests.conftest import cli, wait_for
from tests.made.road import Nothing, make_road

pytestmark = pytest.mark.milvus
ITEMS, SESSIONS, BROUGHT = "items-session-hnsw", "sessions-session-hnsw", "items-mine-hnsw"
HISTORY = ["i1", "i2", "i3"]
KINDS: dict[str, Scalar] = {"category": "text", "popularity": "int", "price": "float"}


@pytest.fixture
def shop(served: Workspace, engine: MilvusEngine) -> Recommender:
    """Give a fresh index of 300 items."""
    make_road(served)
    served.remove(f"indexes/{ITEMS}")
    build_index(served, IndexConfig(), engine)
    return Recommender(served)


def _put(shop: Recommender, engine: MilvusEngine, ids: list[str], vectors: Floats, **columns: Any) -> dict[str, Any]:
    return put(shop.workspace, find_index(shop.workspace, ITEMS), ids, vectors, pl.DataFrame(columns), engine)


def _rows(shop: Recommender, engine: MilvusEngine) -> dict[str, dict[str, Any]]:
    collection = find_index(shop.workspace, ITEMS)["collection"]
    rows = engine.rows(collection, "id >= 0", ["id", "item_id", "category", "popularity", "price"])
    assert len({row["item_id"] for row in rows}) == len(rows), "an id has two rows"
    return {row["item_id"]: row for row in rows}


def _near(shop: Recommender, times: float) -> Floats:
    """Make a vector that HISTORY's query, of length one, scores highest: longer than any item's."""
    return np.asarray(shop.now.encode(HISTORY) * 100 * times, np.float32)


def test_new_items_and_new_vectors_answer_at_once(shop: Recommender, engine: MilvusEngine) -> None:
    before = _rows(shop, engine)
    vectors = np.concatenate([_near(shop, 9), _near(shop, 8), _near(shop, 7)])
    done = _put(shop, engine, ["n1", "i7", "é'\"\\,"], vectors, price=[1.5, 2.5, 3.5])
    assert done == {"new": 2, "replaced": 1}
    after = _rows(shop, engine)
    assert after["i7"] == before["i7"] | {"price": 2.5}  # key, category and popularity as they were
    assert {key: row["id"] for key, row in after.items() if key in before} == {k: r["id"] for k, r in before.items()}
    assert sorted(after[i]["id"] for i in ("n1", "é'\"\\,")) == [303, 304]
    answer = shop.recommend(HISTORY, Query(k=3, index=ITEMS), engine)
    assert [i["item_id"] for i in answer["items"]] == ["n1", "i7", "é'\"\\,"]
    assert answer["items"][0] == {
        "rank": 1, "item_id": "n1", "popularity": 0, "price": 1.5, "score": answer["items"][0]["score"],
    }  # fmt: skip
    known = shop.now.describe("i7")
    assert answer["items"][1] == known | {
        "rank": 2, "price": 2.5, "popularity": known["train_clicks"], "score": answer["items"][1]["score"],
    }  # fmt: skip
    pl.from_dicts(answer["items"]).write_csv()  # as the page offers it
    filtered = shop.recommend(HISTORY, Query(k=3, index=ITEMS, filter="price < 5"), engine)
    assert [i["item_id"] for i in filtered["items"]] == ["n1", "i7", "é'\"\\,"]
    assert filtered["filter"] | {"expression": ""} == {
        "expression": "", "matching": 3, "rows": 302, "selectivity": round(3 / 302, 4), "recall": 1.0,
    }  # fmt: skip


def test_what_the_list_and_the_server_say(shop: Recommender, engine: MilvusEngine) -> None:
    root = shop.workspace.root
    untouched = find_index(shop.workspace, ITEMS)
    assert [untouched[k] for k in ("count", "added", "deleted", "changed")] == [300, 0, 0, False]
    assert untouched["freshness"] == untouched["created"]
    sleep(1.1)  # times are in whole seconds
    _put(shop, engine, ["n1", "n2", "i7"], np.concatenate([_near(shop, 1)] * 3))
    code, answer = cli(root, "index", "delete", ITEMS, "--ids", "n2,i1, i2,i2,nobody")
    assert code == 0, answer
    assert answer == {
        "index": ITEMS, "taken_out": 3, "not_there": ["nobody"], "count": 299, "added": 1, "deleted": 2,
    }  # fmt: skip
    _, listed = cli(root, "index", "list")
    row = next(row for row in listed["indexes"] if row["name"] == ITEMS)
    assert [row[k] for k in ("rows", "count", "added", "deleted", "changed")] == [300, 299, 1, 2, True]
    assert row["freshness"] > row["created"]
    code, shown = cli(root, "index", "show", ITEMS)
    assert code == 0
    assert {k: shown[k] for k in row} == row
    assert shown["loaded"]
    assert shown["served_as"]["index"] == "HNSW"


def test_an_id_with_a_comma_is_named_as_it_stands(shop: Recommender, engine: MilvusEngine) -> None:
    root = shop.workspace.root
    _put(shop, engine, ["i1,i2", "x,y"], np.concatenate([_near(shop, 9)] * 2))
    code, answer = cli(root, "index", "delete", ITEMS, "--ids", "i1,i2", "--ids", "i3, x", "--ids", "x,y")
    assert code == 0, answer
    assert (answer["taken_out"], answer["not_there"]) == (3, ["x"])
    left = _rows(shop, engine)
    assert {"i1", "i2"} <= left.keys()
    assert not {"i1,i2", "x,y", "i3"} & left.keys()
    code, answer = cli(root, "index", "delete", ITEMS, "--ids", " , ", "--ids", "")
    assert code == 2
    assert "names no id" in answer["error"]


def test_the_key_of_a_deleted_item_is_not_taken_for_it(shop: Recommender, engine: MilvusEngine) -> None:
    """The catalogue's last item goes, a new one comes: it must not be shown under the old one's name."""
    take_out(shop.workspace, find_index(shop.workspace, ITEMS), ["i299", "i298"], engine)
    _put(shop, engine, ["stranger", "i298"], np.concatenate([_near(shop, 9), _near(shop, 8)]))
    answer = shop.recommend(HISTORY, Query(k=2, index=ITEMS), engine)
    assert [i["item_id"] for i in answer["items"]] == ["stranger", "i298"]
    assert "train_clicks" in answer["items"][1]
    assert min(_rows(shop, engine)[i]["id"] for i in ("stranger", "i298")) == 303
    index = show(find_index(shop.workspace, ITEMS), engine)
    assert [index[k] for k in ("count", "added", "deleted")] == [300, 2, 2]


def test_seen_items_that_the_model_does_not_know_are_left_out(shop: Recommender, engine: MilvusEngine) -> None:
    _put(shop, engine, ["n1"], _near(shop, 9))
    query = Query(k=5, index=ITEMS, exclude_seen=True, filter="popularity >= 0")
    answer = shop.recommend([*HISTORY, "n1"], query, engine)
    assert len(answer["items"]) == 5
    assert not {i["item_id"] for i in answer["items"]} & {*HISTORY, "n1"}
    assert shop.recommend(HISTORY, Query(k=301, index=ITEMS, search="ef=301"), engine)["items"]
    with pytest.raises(UserError, match="choose 1 to 301"):
        shop.check(HISTORY, Query(k=302, index=ITEMS))


def test_a_released_index_is_loaded_and_changed(shop: Recommender, engine: MilvusEngine) -> None:
    engine.release(find_index(shop.workspace, ITEMS)["collection"])
    released = show(find_index(shop.workspace, ITEMS), engine)
    assert (released["count"], released["loaded"]) == (300, False)
    assert _put(shop, engine, ["n1"], _near(shop, 9)) == {"new": 1, "replaced": 0}
    assert show(find_index(shop.workspace, ITEMS), engine)["count"] == 301


def test_built_again_it_begins_anew(shop: Recommender, engine: MilvusEngine) -> None:
    _put(shop, engine, ["n1"], _near(shop, 9))
    build_index(shop.workspace, IndexConfig(params="M=8"), engine)
    index = show(find_index(shop.workspace, ITEMS), engine)
    assert [index[k] for k in ("count", "added", "changed")] == [300, 0, False]


@pytest.mark.parametrize("after_s", [0.0, 0.3])
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
    assert shop.recommend(HISTORY, Query(k=3, index=ITEMS, filter="item_id != 'm1'"), engine)["items"]
    code, answer = cli(root, "index", "upsert", ITEMS, "--file", str(file))
    assert code == 0, answer
    assert (answer["count"], answer["added"], answer["deleted"]) == (300 + many - 2, many - 2, 0)
    assert answer["new"] + answer["replaced"] == many
    rows = _rows(shop, engine)
    assert len(rows) == answer["count"]
    assert (rows["i5"]["id"], rows["i6"]["id"]) == (8, 9)
    assert find_index(shop.workspace, ITEMS)["count"] == answer["count"]


def test_sessions_are_appended_and_replaced(served: Workspace, engine: MilvusEngine, tmp_path: Path) -> None:
    make_road(served)
    build_index(served, IndexConfig(vectors="sessions", label="grow"), engine)
    name, shop, log = f"{SESSIONS}-grow", Recommender(served), tmp_path / "log.csv"
    clicks = [("7", "i1"), ("7", "unknown"), ("new", "i2"), ("new", "i3"), ("none", "unknown")]
    log.write_text("session,time,item\n" + "".join(f"{s},2024-01-01,{i}\n" for s, i in clicks))
    code, answer = cli(served.root, "index", "append", name, "--clicks", str(log))
    assert code == 0, answer
    told = ("new", "replaced", "skipped", "unknown_clicks", "count", "added", "deleted")
    assert [answer[k] for k in told] == [1, 1, 1, 2, 401, 1, 0]
    collection = find_index(served, name)["collection"]
    for session, key, history in (("7", 7, ["i1"]), ("new", 400, ["i2", "i3"])):
        rows = engine.rows(collection, f"session_id == '{session}'", ["id", "vector"])
        assert [row["id"] for row in rows] == [key]
        assert np.allclose(rows[0]["vector"], shop.now.encode(history)[0], atol=1e-5)
    log.write_text("session,time,item\nnew,2024-01-02,i9\n")
    code, answer = cli(
        served.root, "index", "append", name, "--clicks", str(log), "--columns", "session=session,time=time,item=item"
    )
    assert (answer["new"], answer["replaced"], answer["count"]) == (0, 1, 401)
    rows = engine.rows(collection, "session_id == 'new'", ["vector"])
    assert np.allclose(rows[0]["vector"], shop.now.encode(["i9"])[0], atol=1e-5)
    log.write_text("session,time,item\nx,2024-01-02,nothing\n")
    _, answer = cli(served.root, "index", "append", name, "--clicks", str(log))
    assert [answer[k] for k in told] == [0, 0, 1, 1, 401, 1, 0]


def test_brought_vectors_change_too(served: Workspace, engine: MilvusEngine) -> None:
    def mine(folder: Path, report: object) -> dict[str, int]:
        vectors = pl.Series("vector", np.eye(40, 16, dtype=np.float32), dtype=pl.Array(pl.Float32, 16))
        pl.DataFrame({"id": [f"v{n}" for n in range(40)], "vector": vectors}).write_parquet(folder / "items.parquet")
        return {"items": 40, "dim": 16}

    run_stage(served, "vectors/mine", Nothing(), mine)
    build_index(served, IndexConfig(model="mine"), engine)
    index = find_index(served, BROUGHT)
    check_items(index)
    assert put(served, index, ["v3", "w"], np.full((2, 16), 5, np.float32), None, engine) == {"new": 1, "replaced": 1}
    found = engine.search(index["collection"], np.ones((1, 16), np.float32), 2, {"ef": 10})
    assert set(found.ids[0].tolist()) == {3, 40}


def test_what_does_not_belong_is_refused(shop: Recommender, engine: MilvusEngine) -> None:
    workspace = shop.workspace
    build_index(workspace, IndexConfig(vectors="sessions"), engine)
    items, sessions = find_index(workspace, ITEMS), find_index(workspace, SESSIONS)
    with pytest.raises(UserError, match="holds sessions: add those of a click log with `index append`"):
        check_items(sessions)
    with pytest.raises(UserError, match="holds no model's sessions: add vectors with `index upsert`"):
        check_sessions(workspace, items)
    with pytest.raises(UserError, match="built without its ids as a column: build it again"):
        check_items(items | {"columns": []})
    check_sessions(workspace, sessions)
    make_road(workspace, seed=6)
    with pytest.raises(UserError, match="was trained anew after index"):
        check_sessions(workspace, sessions)


GOOD: dict[str, Any] = {"id": ["a", "b"], "vector": [[1.0, 2.0], [3.0, 4.0]]}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": ["a", None]}, "row 2 has id None"),
        ({"id": ["a", " "]}, "row 2 has id"),
        ({"id": ["a", "x" * 600]}, "at most 512 bytes"),
        ({"id": ["a", "a"]}, "rows 1 and 2 have the same id 'a'"),
        ({"id": [1.5, 2.5]}, "'id' is Float64"),
        ({"vector": [[1.0, 2.0], [3.0]]}, "row 2 has a vector of 1, and the index has 2 dimensions"),
        ({"vector": [[1.0, 2.0], None]}, "row 2 has vector None"),
        ({"vector": [[1.0, None], [3.0, 4.0]]}, "row 1 holds nan"),
        ({"vector": [[1.0, 2.0], [3.0, float("nan")]]}, "row 2 holds nan"),
        ({"vector": [[1.0, 2.0], [3.0, 1e300]]}, r"row 2 holds 1e\+300, which is no finite float32"),
        ({"vector": [["x", "y"], ["x", "y"]]}, "it takes a list of 2 numbers"),
        ({"vector": [1.0, 2.0]}, "it takes a list of 2 numbers"),
        ({"price": [1.0, None]}, "row 2 has price None"),
        ({"price": [1.0, float("inf")]}, "row 2 has price inf"),
        ({"price": ["1", "2"]}, "'price' is String, and the index takes a number"),
        ({"popularity": [1.5, 2.0]}, "takes a whole number"),
        ({"popularity": [1, 2**64 - 1]}, "row 2 has popularity 18446744073709551615"),
        ({"category": [None, "a"]}, "row 1 has category None"),
        ({"prices": [1.0, 2.0]}, "has a column 'prices' that the index has not.* Did you mean price?"),
        ({"vector": None}, "has no column 'vector'"),
    ],
)
def test_a_bad_file_is_a_sentence_that_names_the_row(tmp_path: Path, columns: dict[str, Any], expected: str) -> None:
    table = pl.DataFrame({k: v for k, v in (GOOD | columns).items() if v is not None})
    table.write_parquet(tmp_path / "bad.parquet")
    with pytest.raises(UserError, match=expected):
        read_rows(tmp_path / "bad.parquet", 2, KINDS)


def test_zeros_are_not_added_to_an_index_that_compares_by_cosine(shop: Recommender, engine: MilvusEngine) -> None:
    index = find_index(shop.workspace, ITEMS) | {"metric": "COSINE"}
    vectors = np.zeros((2, index["dim"]), np.float32)
    vectors[0] = 1
    with pytest.raises(
        UserError, match=r"1 of 2 vectors is all zeros \('n2'\), with no direction to compare by COSINE"
    ):
        put(shop.workspace, index, ["n1", "n2"], vectors, None, engine)
    assert "n1" not in _rows(shop, engine)


def test_a_file_of_nothing_or_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        read_rows(tmp_path / "none.parquet", 2, KINDS)
    (tmp_path / "text.parquet").write_text("id,vector")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_rows(tmp_path / "text.parquet", 2, KINDS)
    pl.DataFrame(GOOD).clear().write_parquet(tmp_path / "empty.parquet")
    with pytest.raises(UserError, match="holds no row"):
        read_rows(tmp_path / "empty.parquet", 2, KINDS)


def test_a_good_file_is_read_as_the_index_takes_it(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": [5, 6], "vector": GOOD["vector"], "price": [1, 2], "popularity": [3, 4]})
    table.write_parquet(tmp_path / "good.parquet")
    ids, vectors, given = read_rows(tmp_path / "good.parquet", 2, KINDS)
    assert ids == ["5", "6"]
    assert vectors.tolist() == GOOD["vector"]
    assert given.schema == {"popularity": pl.Int64, "price": pl.Float64}


def test_a_log_of_one_session_will_do(served: Workspace, tmp_path: Path) -> None:
    make_road(served)
    (tmp_path / "one.csv").write_text("session,time,item\n1,2024-01-01,i1\n")
    ids, vectors, left_out = read_sessions(served, "session", ClickSource(str(tmp_path / "one.csv")))
    assert (ids, vectors.shape, left_out["skipped"]) == (["1"], (1, 16), 0)
