"""QueryMilvus by itself, as anybody's graph may use it: on a real server, by address and token from the environment."""

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from merlin.dag import ColumnSelector
from merlin.schema import ColumnSchema, Schema
from merlin.table import TensorTable

from pipeline.core.errors import UserError
from pipeline.search.embedded import server
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.operators.query_milvus import QueryMilvus
from pipeline.serving.operators.variables import ADDRESS_VARIABLE, TOKEN_VARIABLE, URI_VARIABLE
from pipeline.store.workspace import Workspace, read_json

pytestmark = [pytest.mark.milvus, pytest.mark.merlin]
NAME, ROWS, DIM = "asked_by_an_operator", 500, 8


@pytest.fixture(scope="module")
def vectors(engine: MilvusEngine) -> Iterator[np.ndarray]:
    random = np.random.default_rng(5)
    made = random.normal(size=(ROWS, DIM)).astype(np.float32)
    engine.create(NAME, DIM, "IP", {"price": "float"})
    engine.insert(NAME, np.arange(ROWS), made, {"price": np.arange(ROWS) * 1.0})
    engine.build(NAME, "FLAT", {}, "IP")
    engine.load(NAME)
    yield made
    engine.drop(NAME)


@pytest.fixture(autouse=True)
def _address(served: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    about = read_json(server.home(served) / "server.json") or {}
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    monkeypatch.setenv(URI_VARIABLE, about["uri"])
    monkeypatch.setenv(TOKEN_VARIABLE, f"{about['user']}:{(server.home(served) / 'password').read_text().strip()}")


def _ask(operator: QueryMilvus, vectors: np.ndarray) -> dict[str, np.ndarray]:
    out = operator.transform(ColumnSelector(["query_vector"]), TensorTable({"query_vector": vectors}))
    return {name: np.asarray(column.values) for name, column in out.items()}


def test_it_gives_the_nearest_of_any_graphs_vectors_and_says_what_goes_out(vectors: np.ndarray) -> None:
    operator = pickle.loads(pickle.dumps(QueryMilvus(NAME, top_k=7)))  # as an exported ensemble holds it
    found = _ask(operator, vectors[:3])
    expected = np.argsort(-(vectors[:3] @ vectors.T), axis=1)[:, :7]
    np.testing.assert_array_equal(found["candidate_ids"], expected)
    np.testing.assert_allclose(found["candidate_scores"], np.sort(vectors[:3] @ vectors.T)[:, ::-1][:, :7], rtol=1e-5)
    asked = Schema([ColumnSchema("query_vector", dtype=np.float32, dims=(None, DIM))])
    described = operator.compute_output_schema(asked, ColumnSelector(["query_vector"]))
    assert set(found) == set(described.column_names)


def test_a_filter_holds_and_leaves_places_empty(vectors: np.ndarray) -> None:
    found = _ask(QueryMilvus(NAME, top_k=7, filter="price < 3"), vectors[:1])
    assert sorted(found["candidate_ids"][0, :3]) == [0, 1, 2]
    assert found["candidate_ids"][0, 3:].tolist() == [-1] * 4


def test_a_collection_that_is_not_loaded_is_loaded(engine: MilvusEngine, vectors: np.ndarray) -> None:
    operator = QueryMilvus(NAME, top_k=1)
    assert _ask(operator, vectors[:1]) is not None
    engine.release(NAME)
    assert _ask(operator, vectors[:1])["candidate_scores"][0, 0] > 0


def test_what_it_cannot_do_is_a_sentence_without_the_token(
    vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for operator in (QueryMilvus("nothing_here"), QueryMilvus(NAME, filter="price <"), QueryMilvus(NAME, top_k=10**6)):
        with pytest.raises(UserError, match="Milvus at .* does not answer for") as refused:
            _ask(operator, vectors[:1])
        assert "Traceback" not in str(refused.value)
    monkeypatch.setenv(TOKEN_VARIABLE, "root:a-wrong-password")
    with pytest.raises(UserError, match="does not answer") as refused:
        _ask(QueryMilvus(NAME), vectors[:1])
    assert "a-wrong-password" not in str(refused.value)
    monkeypatch.setenv(URI_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(UserError, match="Milvus at http://127.0.0.1:9 does not answer") as refused:
        _ask(QueryMilvus(NAME), vectors[:1])
    assert "a-wrong-password" not in str(refused.value)
    monkeypatch.delenv(URI_VARIABLE)
    with pytest.raises(UserError, match="Neither MILVUS_URI nor MILVUS_ADDRESS says where Milvus listens"):
        _ask(QueryMilvus(NAME), vectors[:1])
