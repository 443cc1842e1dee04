"""What is Milvus's own among the engines: brute force over few rows, and nobody in without the password."""

from typing import Any

import numpy as np
import pytest
from pymilvus import utility

from pipeline.core.errors import UserError
from pipeline.search.engine import Endpoint
from pipeline.search.measure import recall
from pipeline.search.milvus import searching
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


def test_a_load_is_waited_for_with_progress_and_a_large_batch_has_longer(
    engine: MilvusEngine, points: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.create("t_slow", points.shape[1], "IP")
    engine.insert("t_slow", np.arange(100), points[:100], {})
    engine.build("t_slow", "FLAT", {}, "IP")
    real, told, said = utility.loading_progress, iter([{"loading_progress": "10%"}] * 3), list[str]()
    monkeypatch.setattr(utility, "loading_progress", lambda *given, **named: next(told, None) or real(*given, **named))
    engine.load("t_slow", lambda done, total, text="", point=None: said.append(text))
    assert said[:3] == ["loading: 10% of its parts"] * 3
    monkeypatch.setattr(utility, "loading_progress", lambda *given, **named: {"loading_progress": "10%"})
    with pytest.raises(UserError, match="Loading 't_slow' did not end: free memory, or restart the server"):
        engine.load("t_slow", limit_s=0.2)
    limits, send = list[int](), searching.send

    def noted(stub: Any, request: Any, timeout: int) -> Any:
        limits.append(timeout)
        return send(stub, request, timeout)

    monkeypatch.setattr(searching, "send", noted)
    for count in (1, 40, 1000):
        assert engine.search("t_slow", np.repeat(points[:1], count, axis=0), 1, {}).ids[:, 0].tolist() == [0] * count
    assert limits == [11, 50, 120]
    engine.drop("t_slow")
