"""Segments that Milvus would merge after an index is built are merged before."""

from typing import Any

import numpy as np
import pytest
from pymilvus import Collection, MilvusException

from pipeline.core.progress import silent
from pipeline.search.milvus import merging
from pipeline.search.milvus.client import MilvusEngine

pytestmark = pytest.mark.milvus
ROWS, PARTS = 6_000, 2


def _vectors(rows: int, dim: int) -> np.ndarray:
    made = np.random.default_rng(7).normal(size=(rows, dim)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True))


def _filled(engine: MilvusEngine, name: str) -> np.ndarray:
    vectors = _vectors(ROWS, 32)
    engine.create(name, 32, "IP")
    for part in np.split(np.arange(ROWS), PARTS):
        engine.insert(name, part, vectors[part], {})
    return vectors


def _segments(engine: MilvusEngine, name: str) -> list[int]:
    found = engine._collection(name)._get_connection().get_persistent_segment_infos(name)
    return [segment.num_rows for segment in found]


def test_parts_are_merged_before_the_index_is_built(engine: MilvusEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, said = _filled(engine, "t_parts"), list[str]()

    def build() -> None:
        built = engine.build("t_parts", "IVF_FLAT", {"nlist": 16}, "IP", lambda *told: said.append(told[2]))
        assert built.indexed_rows == built.rows == ROWS
        assert engine.describe("t_parts")["index"] == "IVF_FLAT"

    def refuse(*_: Any, **__: Any) -> None:
        raise MilvusException(65535, "compaction is not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(Collection, "compact", refuse)
        build()
        merging.merge(engine._collection("t_parts"), 32, "IP", silent)  # an index that stands is left alone
        assert engine.describe("t_parts")["index"] == "IVF_FLAT"
        assert _segments(engine, "t_parts") == [ROWS // PARTS] * PARTS
    engine.undeclare("t_parts")
    build()
    assert _segments(engine, "t_parts") == [ROWS]
    assert "merging the server's segments" in said
    engine.load("t_parts")
    found = engine.search("t_parts", vectors[::100], 1, {"nprobe": 16})
    assert found.ids[:, 0].tolist() == list(range(0, ROWS, 100))
    engine.drop("t_parts")


def test_one_part_is_left_alone(engine: MilvusEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Collection, "compact", lambda *_, **__: asked.append("compact"))
    engine.create("t_one", 8, "IP")
    engine.insert("t_one", np.arange(2_000), _vectors(2_000, 8), {})
    engine.build("t_one", "FLAT", {}, "IP")
    assert not asked
    engine.drop("t_one")
