"""Rows that come to a built index, or leave it: right in the next answer, counted, and never doubled by a kill."""

from time import sleep
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.core.arrays import Floats
from pipeline.core.errors import UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.registry import find_index
from pipeline.indexes.update import check_items, check_sessions, put_rows, show, take_out
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Query, Recommender
from tests.conftest import cli_here
from tests.indexes.changed import HISTORY, ITEMS, SESSIONS, rows_of
from tests.made.road import make_road

pytestmark = pytest.mark.milvus


def put_items(
    shop: Recommender, engine: MilvusEngine, ids: list[str], vectors: Floats, **columns: Any
) -> dict[str, Any]:
    return put_rows(shop.workspace, find_index(shop.workspace, ITEMS), ids, vectors, pl.DataFrame(columns), engine)


def near(shop: Recommender, times: float) -> Floats:
    """Make a vector that HISTORY's query, of length one, scores highest: longer than any item's."""
    return np.asarray(shop.now.encode(HISTORY) * 100 * times, np.float32)


def test_new_items_and_new_vectors_answer_at_once(shop: Recommender, engine: MilvusEngine) -> None:
    before = rows_of(shop, engine)
    vectors = np.concatenate([near(shop, 9), near(shop, 8), near(shop, 7)])
    done = put_items(shop, engine, ["n1", "i7", "é'\"\\,"], vectors, price=[1.5, 2.5, 3.5])
    assert done == {"new": 2, "replaced": 1}
    after = rows_of(shop, engine)
    assert after["i7"] == before["i7"] | {"price": 2.5}  # key, category and popularity as they were
    assert {key: row["id"] for key, row in after.items() if key in before} == {k: r["id"] for k, r in before.items()}
    assert sorted(after[i]["id"] for i in ("n1", "é'\"\\,")) == [303, 304]
    answer = shop.recommend(shop.check(HISTORY, Query(k=3, index=ITEMS)), engine)
    assert [i["item_id"] for i in answer["items"]] == ["n1", "i7", "é'\"\\,"]
    assert answer["items"][0] == {
        "rank": 1, "item_id": "n1", "popularity": 0, "price": 1.5, "score": answer["items"][0]["score"],
    }  # fmt: skip
    known = shop.now.describe("i7")
    assert answer["items"][1] == known | {
        "rank": 2, "price": 2.5, "popularity": known["train_clicks"], "score": answer["items"][1]["score"],
    }  # fmt: skip
    pl.from_dicts(answer["items"]).write_csv()  # as the page offers it
    filtered = shop.recommend(shop.check(HISTORY, Query(k=3, index=ITEMS, filter="price < 5")), engine)
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
    put_items(shop, engine, ["n1", "n2", "i7"], np.concatenate([near(shop, 1)] * 3))
    code, answer = cli_here(root, "index", "delete", ITEMS, "--ids", "n2,i1, i2,i2,nobody")
    assert code == 0, answer
    assert answer == {
        "index": ITEMS, "taken_out": 3, "not_there": ["nobody"], "count": 299, "added": 1, "deleted": 2,
    }  # fmt: skip
    _, listed = cli_here(root, "index", "list")
    row = next(row for row in listed["indexes"] if row["name"] == ITEMS)
    assert [row[k] for k in ("rows", "count", "added", "deleted", "changed")] == [300, 299, 1, 2, True]
    assert row["freshness"] > row["created"]
    code, shown = cli_here(root, "index", "show", ITEMS)
    assert code == 0
    assert {k: shown[k] for k in row} == row
    assert shown["loaded"]
    assert shown["served_as"]["index"] == "HNSW"


def test_an_id_with_a_comma_is_named_as_it_stands(shop: Recommender, engine: MilvusEngine) -> None:
    root = shop.workspace.root
    put_items(shop, engine, ["i1,i2", "x,y"], np.concatenate([near(shop, 9)] * 2))
    code, answer = cli_here(root, "index", "delete", ITEMS, "--ids", "i1,i2", "--ids", "i3, x", "--ids", "x,y")
    assert code == 0, answer
    assert (answer["taken_out"], answer["not_there"]) == (3, ["x"])
    left = rows_of(shop, engine)
    assert {"i1", "i2"} <= left.keys()
    assert not {"i1,i2", "x,y", "i3"} & left.keys()
    code, answer = cli_here(root, "index", "delete", ITEMS, "--ids", " , ", "--ids", "")
    assert code == 2
    assert "names no id" in answer["error"]


def test_the_key_of_a_deleted_item_is_not_taken_for_it(shop: Recommender, engine: MilvusEngine) -> None:
    """The catalogue's last item goes, a new one comes: it must not be shown under the old one's name."""
    take_out(shop.workspace, find_index(shop.workspace, ITEMS), ["i299", "i298"], engine)
    put_items(shop, engine, ["stranger", "i298"], np.concatenate([near(shop, 9), near(shop, 8)]))
    answer = shop.recommend(shop.check(HISTORY, Query(k=2, index=ITEMS)), engine)
    assert [i["item_id"] for i in answer["items"]] == ["stranger", "i298"]
    assert "train_clicks" in answer["items"][1]
    assert min(rows_of(shop, engine)[i]["id"] for i in ("stranger", "i298")) == 303
    index = show(find_index(shop.workspace, ITEMS), engine)
    assert [index[k] for k in ("count", "added", "deleted")] == [300, 2, 2]


def test_seen_items_that_the_model_does_not_know_are_left_out(shop: Recommender, engine: MilvusEngine) -> None:
    put_items(shop, engine, ["n1"], near(shop, 9))
    query = Query(k=5, index=ITEMS, exclude_seen=True, filter="popularity >= 0")
    answer = shop.recommend(shop.check([*HISTORY, "n1"], query), engine)
    assert len(answer["items"]) == 5
    assert not {i["item_id"] for i in answer["items"]} & {*HISTORY, "n1"}
    assert shop.recommend(shop.check(HISTORY, Query(k=301, index=ITEMS, search="ef=301")), engine)["items"]
    with pytest.raises(UserError, match="choose 1 to 301"):
        shop.check(HISTORY, Query(k=302, index=ITEMS))


def test_a_released_index_is_loaded_and_changed(shop: Recommender, engine: MilvusEngine) -> None:
    engine.release(find_index(shop.workspace, ITEMS)["collection"])
    released = show(find_index(shop.workspace, ITEMS), engine)
    assert (released["count"], released["loaded"]) == (300, False)
    assert put_items(shop, engine, ["n1"], near(shop, 9)) == {"new": 1, "replaced": 0}
    assert show(find_index(shop.workspace, ITEMS), engine)["count"] == 301


def test_built_again_it_begins_anew(shop: Recommender, engine: MilvusEngine) -> None:
    put_items(shop, engine, ["n1"], near(shop, 9))
    build_index(shop.workspace, IndexConfig(params="M=8"), engine)
    index = show(find_index(shop.workspace, ITEMS), engine)
    assert [index[k] for k in ("count", "added", "changed")] == [300, 0, False]


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


def test_zeros_are_not_added_to_an_index_that_compares_by_cosine(shop: Recommender, engine: MilvusEngine) -> None:
    index = find_index(shop.workspace, ITEMS) | {"metric": "COSINE"}
    vectors = np.zeros((2, index["dim"]), np.float32)
    vectors[0] = 1
    with pytest.raises(
        UserError, match=r"1 of 2 vectors is all zeros \('n2'\), with no direction to compare by COSINE"
    ):
        put_rows(shop.workspace, index, ["n1", "n2"], vectors, None, engine)
    assert "n1" not in rows_of(shop, engine)
