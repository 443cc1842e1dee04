"""What is Milvus's own among the engines: brute force over few rows, and nobody in without the password."""

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.search.engine import Endpoint
from pipeline.search.measure import recall
from pipeline.search.milvus.client import MilvusEngine

pytestmark = pytest.mark.milvus


@pytest.mark.parametrize("rows", [217, 1000])
def test_a_few_rows_are_searched_by_brute_force(engine: MilvusEngine, points: np.ndarray, rows: int) -> None:
    engine.create("t_few", points.shape[1], "IP")
    engine.insert("t_few", np.arange(rows), points[:rows], {})
    engine.build("t_few", "HNSW", {"M": 16, "efConstruction": 200}, "IP")
    engine.load("t_few")
    found = engine.search("t_few", points[:20], 10, {"ef": 10})
    assert recall(np.arange(rows), points[:rows], points[:20], found.ids, "IP") == 1.0
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


def test_secrets_stay_out_of_texts(engine: MilvusEngine) -> None:
    assert engine.endpoint.token.split(":")[1] not in repr(engine.endpoint)
