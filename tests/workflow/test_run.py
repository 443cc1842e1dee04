"""The whole road on a made-up shop: what `run` answers, and that the answer holds."""

import json
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from pipeline.indexes.known import KnownItems
from pipeline.indexes.registry import use_index
from pipeline.search.embedded import server
from pipeline.serving.recommender import Query, Recommender
from pipeline.vectors.embed import load_vectors
from tests.conftest import SHOP, Road, cli, cli_here

pytestmark = [pytest.mark.milvus, pytest.mark.merlin]


@pytest.fixture(scope="module", autouse=True)
def _held(road: Road) -> Iterator[None]:
    """Hold the road's server, which each test would start again."""
    with server.connect(road.workspace, "tests"):
        yield


def test_run_answers_as_it_promises(road: Road) -> None:
    answer = road.answer
    assert (answer["clicks"], answer["sessions"], answer["items"]) == (10_527, 3_000, 834)
    assert {s["name"] for s in answer["stages"]} >= {"clicks", "data", "models/session", "vectors/session"}
    assert all(set(s) >= {"name", "seconds", "skipped"} for s in answer["stages"])
    assert len(answer["collections"]) == 2
    assert road.measured.peak_bytes < 4e9


def test_the_model_beats_popularity(road: Road) -> None:
    models = road.answer["models"]
    measured = {"recall@5", "recall@10", "recall@20", "mrr@10", "mrr@20", "ndcg@20", "coverage@20", "popularity@20"}
    assert set(models["session"]) == {*measured, "examples", "sessions"}
    assert models["session"]["recall@20"] > 1.5 * models["popularity"]["recall@20"]


def test_a_second_run_has_nothing_to_do(road: Road) -> None:
    code, answer = cli(road.workspace.root, "run", *SHOP)
    assert code == 0
    assert all(stage["skipped"] for stage in answer["stages"])
    assert answer["models"] == road.answer["models"]


def test_with_flat_a_query_answers_as_the_models_own_ranking(road: Road) -> None:
    code, built = cli_here(road.workspace.root, "index", "build", "--index", "FLAT")
    assert code == 0, built
    recommender = Recommender(road.workspace, "session")
    sessions = load_vectors(road.workspace, "session", "sessions")[0].sample(60, seed=1)
    with server.connect(road.workspace, "test") as engine:
        for session in sessions:
            history = recommender.session(str(session))
            answer = recommender.recommend(recommender.check(history, Query(k=20, index="items-session-flat")), engine)
            assert _same_order(recommender.now, history, [i["item_id"] for i in answer["items"]]), session


def _same_order(known: KnownItems, history: list[str], items: list[str]) -> bool:
    """Tell whether items are the model's own best in its order, but for scores that are equal within rounding."""
    scores = (known.encode(history) @ known.encoder.vectors.T)[0]
    mine, theirs = (
        scores[[known.rows[item] for item in some]] for some in (known.exact(known.encode(history), 20), items)
    )
    return len(set(items)) == len(items) and np.allclose(mine, theirs, rtol=0, atol=1e-5)


def test_an_index_serves_with_the_search_parameters_that_it_was_chosen_with(road: Road) -> None:
    recommender = Recommender(road.workspace, "session")
    use_index(road.workspace, "items-session-hnsw", "ef=120")
    try:
        assert recommender.check(["A508"], Query()).search == {"ef": 120}
        assert recommender.check(["A508"], Query(k=200)).search == {"ef": 200}
        assert recommender.check(["A508"], Query(search="ef=50")).search == {"ef": 50}
    finally:
        (road.workspace.root / "serving.json").unlink()


def test_query_by_session(road: Road) -> None:
    code, answer = cli_here(road.workspace.root, "query", "--session", "2735", "--k", "5")
    assert code == 0
    assert len(answer["history"]) > 1
    assert [i["rank"] for i in answer["items"]] == [1, 2, 3, 4, 5]
    assert all({"item_id", "category", "score", "name", "price"} <= set(i) for i in answer["items"])
    assert set(answer["latency_ms"]) == {"encode", "search", "total"}


def test_query_by_items_without_what_was_seen(road: Road) -> None:
    _, with_seen = cli_here(road.workspace.root, "query", "--items", "A508,H199", "--k", "803")
    _, without = cli_here(road.workspace.root, "query", "--items", "A508,H199", "--k", "801", "--exclude-seen")
    assert {"A508", "H199"} <= {i["item_id"] for i in with_seen["items"]}
    assert not {"A508", "H199"} & {i["item_id"] for i in without["items"]}
    assert len(without["items"]) == 801


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--items", "A5089"], "'A5089' is not among the 803 items"),
        (["--items", "A508", "--k", "804"], "k 804 is out of range: choose 1 to 803"),
        (["--items", "A508", "--k", "0"], "k 0 is out of range"),
        (["--items", "A508", "--index", "items-session-hnsw", "--search", "ef=3"], "ef 3 is below top_k 10"),
        (["--items", "A508", "--index", "items-session-hnws"], "Did you mean items-session-hnsw"),
        (["--items", "A508", "--index", "sessions-session-hnsw"], "does not hold the items"),
        (["--session", "99999999"], "99999999"),
        (["--session", "x'; drop"], "x'; drop"),
        ([], "--session"),
    ],
)
def test_a_bad_query_is_one_sentence(road: Road, arguments: list[str], expected: str) -> None:
    code, answer = cli_here(road.workspace.root, "query", *arguments)
    assert code == 2
    assert expected in answer["error"]


def test_a_wrong_password_is_a_sentence(road: Road) -> None:
    with server.connect(road.workspace, "test") as engine:
        address = {"MILVUS_URI": engine.endpoint.uri, "MILVUS_TOKEN": "root:wrong"}
        code, answer = cli(road.workspace.root, "milvus", "status", **address)
    assert code == 2
    assert "refused the user or password" in answer["error"]


def test_status_and_list_tell_what_exists(road: Road) -> None:
    _, status = cli_here(road.workspace.root, "status")
    assert {s["stage"] for s in status["stages"]} >= {"clicks", "data", "models/session", "maps/session"}
    assert all(s["state"] == "ready" for s in status["stages"])
    _, listed = cli_here(road.workspace.root, "index", "list")
    rows = {row["name"]: row for row in listed["indexes"]}
    assert rows["items-session-hnsw"]["note"].startswith("searched by brute force")
    assert rows["sessions-session-hnsw"]["indexed_rows"] == rows["sessions-session-hnsw"]["rows"] == 2_555


def test_what_the_index_loses_stands_beside_the_models_figures(road: Road) -> None:
    code, answer = cli(road.workspace.root, "evaluate", "--index", "items-session-hnsw")
    assert code == 0, answer
    assert set(answer["models"]) == {"session"}
    assert answer["index"]["index_recall@20"] == pytest.approx(1, abs=1e-3)  # so few are searched by brute force
    exact = answer["index"]["exact"]["recall@20"]
    assert answer["index"]["through"]["recall@20"] == pytest.approx(exact, abs=1e-4)
    model = answer["models"]["session"]
    edge = 1 / model["examples"] + 2e-6  # one example: both score in blocks of their own, which round differently
    assert exact == pytest.approx(model["recall@20"], abs=edge)


def test_vectors_and_map_are_parquet_of_ids(road: Road) -> None:
    items = pl.read_parquet(road.workspace.stage("vectors/session") / "items.parquet")
    assert items.columns == ["id", "vector"]
    assert items.height == 803
    points = pl.read_parquet(road.workspace.stage("maps/session") / "items.parquet")
    assert points.columns == ["item_id", "x", "y"]
    assert np.isfinite(points.select("x", "y").to_numpy()).all()


def test_an_index_can_be_dropped_and_built_again(road: Road) -> None:
    root = road.workspace.root
    assert cli_here(root, "index", "build", "--index", "IVF_FLAT", "--build", "nlist=16")[0] == 0
    assert cli_here(root, "index", "release", "items-session-ivf_flat")[0] == 0
    assert cli_here(root, "index", "load", "items-session-ivf_flat")[0] == 0
    code, answer = cli_here(
        root, "query", "--items", "A508", "--index", "items-session-ivf_flat", "--search", "nprobe=99"
    )
    assert (code, "nprobe 99 is over the index's nlist" in answer["error"]) == (2, True)
    assert cli_here(root, "index", "drop", "items-session-ivf_flat")[0] == 0
    code, answer = cli_here(root, "index", "drop", "items-session-ivf_flat")
    assert (code, "There is no index" in answer["error"]) == (2, True)


def test_the_json_is_the_last_line_and_the_rest_is_on_stderr(road: Road) -> None:
    assert len(road.measured.stdout.strip().splitlines()) == 1
    assert json.loads(road.measured.stdout)
    assert "train" in road.measured.stderr
