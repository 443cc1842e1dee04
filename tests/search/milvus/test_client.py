"""The real server answers as the exact search does, and says that it used the index it was given."""

import numpy as np
import pytest

from pipeline.core.errors import NotLoaded, UserError
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.compatibility import EMBEDDED, supported_names
from pipeline.search.engine import Endpoint
from pipeline.search.milvus.client import MilvusEngine
from pipeline.search.params import Values, validate_build

pytestmark = pytest.mark.milvus


def _exact(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-(queries @ points.T), axis=1, kind="stable")[:, :k]


def _recall(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.mean([len(set(f) & set(e)) / len(e) for f, e in zip(found, exact, strict=True)]))


@pytest.fixture(scope="module", params=supported_names(EMBEDDED))
def built(request: pytest.FixtureRequest, engine: MilvusEngine, points: np.ndarray) -> str:
    name, entry = f"t_{request.param.lower()}", CATALOGUE[request.param]
    ids = np.arange(len(points)) * 3 + 7
    engine.create(name, points.shape[1], "IP", {"item_id": "text"})
    engine.insert(name, ids, points, {"item_id": [f"item {i}" for i in ids]})
    report = engine.build(name, entry.name, validate_build(entry, {}, points.shape[1], len(points)), "IP")
    engine.load(name)
    assert report.rows == report.indexed_rows == len(points)
    return name


def test_every_type_answers_as_the_exact_search(built: str, engine: MilvusEngine, points: np.ndarray) -> None:
    """FLAT and IVF_FLAT over all clusters are exact, HNSW and SCANN reach recall@100 of .99; more effort finds more."""
    params: dict[str, list[Values]] = {
        "t_flat": [{}],
        "t_ivf_flat": [{"nprobe": 310}],
        "t_ivf_sq8": [{"nprobe": n} for n in (1, 31, 310)],
        "t_ivf_pq": [{"nprobe": n} for n in (1, 31, 310)],
        "t_hnsw": [{"ef": ef} for ef in (100, 200, 400, 800)],
        "t_scann": [{"nprobe": n, "reorder_k": 1000} for n in (1, 31, 310)],
        "t_autoindex": [{}],
    }
    reached = {"t_flat": 0.9999, "t_ivf_flat": 0.9999, "t_ivf_sq8": 0.97, "t_ivf_pq": 0.7, "t_autoindex": 0.95}
    queries, k = points[:200], 100
    exact = _exact(points, queries, k)
    recalls = []
    for values in params[built]:
        found = engine.search(built, queries, k, values)
        recalls.append(_recall((found.ids - 7) // 3, exact))
    assert max(recalls) >= reached.get(built, 0.99), recalls
    assert (np.diff(recalls) > -1e-4).all(), recalls


def test_the_server_says_that_the_index_is_used(built: str, engine: MilvusEngine, points: np.ndarray) -> None:
    report = engine.describe(built)
    assert report["index"] == built.removeprefix("t_").upper()
    assert report["indexed_rows"] == report["rows"] == len(points)
    assert report["loaded"]


def test_an_index_that_searches_less_finds_less(engine: MilvusEngine, points: np.ndarray, built: str) -> None:
    """Searched with the least effort, an approximate index must differ from brute force: it is really used."""
    entry = CATALOGUE[built.removeprefix("t_").upper()]
    least: Values = {p.name: int(p.limits({"top_k": 100})[0]) for p in entry.search}
    found = engine.search(built, points[:200], 100, least)
    recall = _recall((found.ids - 7) // 3, _exact(points, points[:200], 100))
    assert (recall >= 0.9999) == (built == "t_flat")  # two of 20,000 places may be equal within rounding


def test_scores_are_dot_products(engine: MilvusEngine, points: np.ndarray, built: str) -> None:
    found = engine.search(built, points[:3], 5, {"nprobe": 310} if "ivf" in built else {})
    rows = (found.ids - 7) // 3
    expected = np.einsum("qd,qkd->qk", points[:3], points[rows])
    coded = {"t_ivf_sq8": 0.02, "t_ivf_pq": 0.2}.get(built, 1e-4)  # scores of coded vectors are near, not equal
    assert np.allclose(found.scores, expected, rtol=coded)


def test_released_it_says_so_and_loaded_it_answers(engine: MilvusEngine, points: np.ndarray, built: str) -> None:
    engine.release(built)
    with pytest.raises(NotLoaded, match="is not in memory"):
        engine.search(built, points[:1], 5, {})
    engine.load(built)
    assert engine.search(built, points[:1], 5, {}).ids.shape == (1, 5)


@pytest.mark.parametrize("rows", [217, 1000])
def test_a_few_rows_are_searched_by_brute_force(engine: MilvusEngine, points: np.ndarray, rows: int) -> None:
    engine.create("t_few", points.shape[1], "IP")
    engine.insert("t_few", np.arange(rows), points[:rows], {})
    engine.build("t_few", "HNSW", {"M": 16, "efConstruction": 200}, "IP")
    engine.load("t_few")
    found = engine.search("t_few", points[:20], 10, {"ef": 10})
    assert _recall(found.ids, _exact(points[:rows], points[:20], 10)) >= 1 - 1 / 200  # one place, within rounding
    engine.drop("t_few")


@pytest.mark.parametrize("token", ["root:wrong", "root:Milvus", ""])
def test_no_way_in_without_the_password(engine: MilvusEngine, token: str) -> None:
    with pytest.raises(UserError) as caught:
        MilvusEngine(Endpoint(engine.endpoint.uri, token)).collections()
    assert "refused the user or password: set MILVUS_TOKEN" in str(caught.value)
    assert "root:" not in str(caught.value)


def test_a_port_where_nobody_listens_is_a_sentence() -> None:
    with pytest.raises(UserError, match="does not answer"):
        MilvusEngine(Endpoint("http://127.0.0.1:9", "root:x"))


def test_an_unknown_collection_is_a_sentence(engine: MilvusEngine, points: np.ndarray) -> None:
    with pytest.raises(UserError, match="has no collection 'nothing' any more: build the index again"):
        engine.search("nothing", points[:1], 5, {})


def test_secrets_stay_out_of_texts(engine: MilvusEngine) -> None:
    assert engine.endpoint.token.split(":")[1] not in repr(engine.endpoint)
