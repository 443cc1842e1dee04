"""Rows put in and taken out of a loaded collection are right in the very next answer, and in the count."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.core.errors import NotLoaded, UserError
from pipeline.search.milvus.client import MilvusEngine

pytestmark = pytest.mark.milvus


@pytest.fixture
def changing(engine: MilvusEngine, points: np.ndarray) -> Iterator[str]:
    engine.create("t_changes", points.shape[1], "IP", {"text": "text", "number": "int"})
    ids = np.arange(len(points))
    engine.insert("t_changes", ids, points, {"text": ["old"] * len(ids), "number": ids})
    engine.build("t_changes", "HNSW", {"M": 16, "efConstruction": 200}, "IP")
    engine.load("t_changes")
    yield "t_changes"
    engine.drop("t_changes")


def _rows(engine: MilvusEngine, name: str, ids: np.ndarray) -> list[dict]:
    return list(engine._collection(name).query(f"id in {ids.tolist()}", output_fields=["text", "number"]))


def test_put_in_they_are_found_at_once(engine: MilvusEngine, changing: str, points: np.ndarray) -> None:
    """Every round moves ten old vectors and adds ten new ones, far out, and asks at once."""
    for turn in range(8):
        ids = np.concatenate([np.arange(10) + 10 * turn, 100_000 + np.arange(10) + 10 * turn])
        vectors = np.eye(20, points.shape[1], dtype=np.float32) * (100 + turn)
        engine.upsert(changing, ids, vectors, {"text": [f"new {turn}"] * 20, "number": -ids})
        assert (engine.search(changing, vectors, 1, {"ef": 100}).ids[:, 0] == ids).all(), f"round {turn}"
        assert engine.count(changing) == len(points) + 10 * (turn + 1)
        rows = _rows(engine, changing, ids)
        assert sorted((r["id"], r["text"], r["number"]) for r in rows) == [(i, f"new {turn}", -i) for i in ids.tolist()]
    assert engine.describe(changing)["index"] == "HNSW"
    assert engine.describe(changing)["loaded"]


def test_taken_out_they_are_gone_at_once(engine: MilvusEngine, changing: str, points: np.ndarray) -> None:
    queries, left = points[:50], len(points)
    for turn in range(8):
        best = np.unique(engine.search(changing, queries, 3, {"ef": 100}).ids)
        engine.delete(changing, best)
        found = engine.search(changing, queries, 10, {"ef": 100}).ids
        assert not set(found.ravel().tolist()) & set(best.tolist()), f"round {turn}"
        left -= len(best)
        assert engine.count(changing) == left
        assert _rows(engine, changing, best) == []


def test_changes_outlast_memory(engine: MilvusEngine, changing: str, points: np.ndarray) -> None:
    far = np.full((1, points.shape[1]), 90, np.float32)
    engine.release(changing)
    with pytest.raises(NotLoaded, match="is not in memory"):
        engine.count(changing)
    engine.upsert(changing, np.array([77_777]), far, {"text": ["x"], "number": np.array([1])})
    engine.delete(changing, np.arange(1000))
    engine.load(changing)
    found = engine.search(changing, np.concatenate([far, points[:100]]), 10, {"ef": 100}).ids
    assert found[0, 0] == 77_777
    assert not ((found >= 0) & (found < 1000)).any()
    assert engine.count(changing) == len(points) - 1000 + 1


def test_nothing_and_the_unknown_change_nothing(engine: MilvusEngine, changing: str, points: np.ndarray) -> None:
    engine.delete(changing, np.array([], np.int64))
    engine.upsert(changing, np.array([], np.int64), points[:0], {"text": [], "number": np.array([], np.int64)})
    engine.delete(changing, np.array([-5, 10**12]))
    assert engine.count(changing) == len(points)
    with pytest.raises(UserError, match="has no collection 't_gone'"):
        engine.delete("t_gone", np.array([1]))


def test_many_are_taken_out(engine: MilvusEngine, changing: str, points: np.ndarray) -> None:
    """More ids than one request carries, most of them unknown."""
    engine.delete(changing, np.arange(2000, 25_000))
    assert engine.count(changing) == 2000
