"""The whole road on the shipped clicks: what `run` answers, and that the answer holds."""

import json
import os
import signal

import numpy as np
import polars as pl
import pytest

from pipeline.embed import load_vectors
from pipeline.errors import UserError
from pipeline.indexes import serve
from pipeline.known import Known
from pipeline.recommend import Query, Recommender
from pipeline.vectors import server
from tests.conftest import ESHOP, Road, cli

pytestmark = [pytest.mark.milvus, pytest.mark.merlin]


def test_run_answers_as_it_promises(eshop: Road) -> None:
    answer = eshop.answer
    assert (answer["clicks"], answer["sessions"], answer["items"]) == (165_474, 24_026, 217)
    assert {s["name"] for s in answer["stages"]} >= {"clicks", "data", "models/session", "vectors/session"}
    assert all(set(s) >= {"name", "seconds", "skipped"} for s in answer["stages"])
    assert len(answer["collections"]) == 2
    assert eshop.measured.peak_bytes < 4e9


def test_the_model_beats_popularity(eshop: Road) -> None:
    models = eshop.answer["models"]
    measured = {"recall@5", "recall@10", "recall@20", "mrr@10", "mrr@20", "ndcg@20", "coverage@20", "popularity@20"}
    assert set(models["session"]) == {*measured, "examples", "sessions"}
    assert models["session"]["recall@20"] > 1.5 * models["popularity"]["recall@20"]


def test_a_second_run_has_nothing_to_do(eshop: Road) -> None:
    code, answer = cli(eshop.workspace.root, "run", *ESHOP)
    assert code == 0
    assert all(stage["skipped"] for stage in answer["stages"])
    assert answer["models"] == eshop.answer["models"]


def test_with_flat_a_query_answers_as_the_models_own_ranking(eshop: Road) -> None:
    code, built = cli(eshop.workspace.root, "index", "build", "--index", "FLAT")
    assert code == 0, built
    recommender = Recommender(eshop.workspace, "session")
    sessions = load_vectors(eshop.workspace, "session", "sessions")[0].sample(60, seed=1)
    with server.connect(eshop.workspace, "test") as engine:
        for session in sessions:
            history = recommender.session(str(session))
            answer = recommender.recommend(history, Query(k=20, index="items-session-flat"), engine)
            assert _same_order(recommender.now, history, [i["item_id"] for i in answer["items"]]), session


def _same_order(known: Known, history: list[str], items: list[str]) -> bool:
    """Tell whether items are the model's own best in its order, but for scores that are equal within rounding."""
    scores = (known.encode(history) @ known.encoder.vectors.T)[0]
    mine, theirs = (scores[[known.rows[item] for item in some]] for some in (known.exact(history, 20), items))
    return len(set(items)) == len(items) and np.allclose(mine, theirs, rtol=0, atol=1e-5)


def test_an_index_serves_with_the_search_parameters_that_it_was_chosen_with(eshop: Road) -> None:
    recommender = Recommender(eshop.workspace, "session")
    index = recommender.serving("items-session-hnsw")
    serve(eshop.workspace, index["name"], "ef=120")
    try:
        assert recommender.search_params(index, Query(), 10) == {"ef": 120}
        assert recommender.search_params(index, Query(), 200) == {"ef": 200}
        assert recommender.search_params(index, Query(search="ef=50"), 10) == {"ef": 50}
    finally:
        (eshop.workspace.root / "serving.json").unlink()


def test_query_by_session(eshop: Road) -> None:
    code, answer = cli(eshop.workspace.root, "query", "--session", "22246", "--k", "5")
    assert code == 0
    assert len(answer["history"]) > 1
    assert [i["rank"] for i in answer["items"]] == [1, 2, 3, 4, 5]
    assert all({"item_id", "category", "score", "name", "price"} <= set(i) for i in answer["items"])
    assert set(answer["latency_ms"]) == {"encode", "search", "total"}


def test_query_by_items_without_what_was_seen(eshop: Road) -> None:
    _, with_seen = cli(eshop.workspace.root, "query", "--items", "B17,C7", "--k", "217")
    _, without = cli(eshop.workspace.root, "query", "--items", "B17,C7", "--k", "215", "--exclude-seen")
    assert {"B17", "C7"} <= {i["item_id"] for i in with_seen["items"]}
    assert not {"B17", "C7"} & {i["item_id"] for i in without["items"]}
    assert len(without["items"]) == 215


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--items", "B177"], "'B177' is not among the 217 items"),
        (["--items", "B17", "--k", "218"], "k 218 is out of range: choose 1 to 217"),
        (["--items", "B17", "--k", "0"], "k 0 is out of range"),
        (["--items", "B17", "--index", "items-session-hnsw", "--search", "ef=3"], "ef 3 is below top_k 10"),
        (["--items", "B17", "--index", "items-session-hnws"], "Did you mean items-session-hnsw"),
        (["--items", "B17", "--index", "sessions-session-hnsw"], "does not hold the items"),
        (["--session", "99999999"], "99999999"),
        (["--session", "x'; drop"], "x'; drop"),
        ([], "--session"),
    ],
)
def test_a_bad_query_is_one_sentence(eshop: Road, arguments: list[str], expected: str) -> None:
    code, answer = cli(eshop.workspace.root, "query", *arguments)
    assert code == 2
    assert expected in answer["error"]


def test_the_server_gone_in_mid_query_is_a_sentence(eshop: Road) -> None:
    recommender = Recommender(eshop.workspace, "session")
    with server.connect(eshop.workspace, "test") as engine:
        query = Query(k=10, index="items-session-hnsw")
        assert recommender.recommend(["B17"], query, engine)["items"]
        # Milvus ends with its supervisor; killed alone it would be back on the same port before the query gives up
        os.kill(int(server.status(eshop.workspace)["supervisor_pid"]), signal.SIGKILL)
        with pytest.raises(UserError, match="does not answer"):
            recommender.recommend(["B17"], query, engine)
        with server.connect(eshop.workspace, "again") as other:
            assert other.collections()  # it is back, with what it had


def test_a_wrong_password_is_a_sentence(eshop: Road) -> None:
    with server.connect(eshop.workspace, "test") as engine:
        address = {"MILVUS_URI": engine.endpoint.uri, "MILVUS_TOKEN": "root:wrong"}
        code, answer = cli(eshop.workspace.root, "milvus", "status", **address)
    assert code == 2
    assert "refused the user or password" in answer["error"]


def test_status_and_list_tell_what_exists(eshop: Road) -> None:
    _, status = cli(eshop.workspace.root, "status")
    assert {s["stage"] for s in status["stages"]} >= {"clicks", "data", "models/session", "maps/session"}
    assert all(s["state"] == "ready" for s in status["stages"])
    _, listed = cli(eshop.workspace.root, "index", "list")
    rows = {row["name"]: row for row in listed["indexes"]}
    assert rows["items-session-hnsw"]["note"].startswith("searched by brute force")
    assert rows["sessions-session-hnsw"]["indexed_rows"] == rows["sessions-session-hnsw"]["rows"] == 18_984


def test_what_the_index_loses_stands_beside_the_models_figures(eshop: Road) -> None:
    code, answer = cli(eshop.workspace.root, "evaluate", "--index", "items-session-hnsw")
    assert code == 0, answer
    assert set(answer["models"]) == {"session"}
    assert answer["index"]["index_recall@20"] == 1  # 217 items are searched by brute force
    exact = answer["index"]["exact"]["recall@20"]
    assert answer["index"]["through"]["recall@20"] == pytest.approx(exact, abs=1e-4)
    model = answer["models"]["session"]
    one = (
        1 / model["examples"] + 2e-6
    )  # example at the edge: both score in blocks of their own, which round differently
    assert exact == pytest.approx(model["recall@20"], abs=one)


def test_vectors_and_map_are_parquet_of_ids(eshop: Road) -> None:
    items = pl.read_parquet(eshop.workspace.stage("vectors/session") / "items.parquet")
    assert items.columns == ["id", "vector"]
    assert items.height == 217
    points = pl.read_parquet(eshop.workspace.stage("maps/session") / "items.parquet")
    assert points.columns == ["item_id", "x", "y"]
    assert np.isfinite(points.select("x", "y").to_numpy()).all()


def test_an_index_can_be_dropped_and_built_again(eshop: Road) -> None:
    root = eshop.workspace.root
    assert cli(root, "index", "build", "--index", "IVF_FLAT", "--build", "nlist=16")[0] == 0
    assert cli(root, "index", "release", "items-session-ivf_flat")[0] == 0
    assert cli(root, "index", "load", "items-session-ivf_flat")[0] == 0
    code, answer = cli(root, "query", "--items", "B17", "--index", "items-session-ivf_flat", "--search", "nprobe=99")
    assert (code, "nprobe 99 is over the index's nlist" in answer["error"]) == (2, True)
    assert cli(root, "index", "drop", "items-session-ivf_flat")[0] == 0
    code, answer = cli(root, "index", "drop", "items-session-ivf_flat")
    assert (code, "There is no index" in answer["error"]) == (2, True)


def test_the_json_is_the_last_line_and_the_rest_is_on_stderr(eshop: Road) -> None:
    assert len(eshop.measured.stdout.strip().splitlines()) == 1
    assert json.loads(eshop.measured.stdout)
    assert "train" in eshop.measured.stderr
