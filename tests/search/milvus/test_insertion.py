"""Columns arrive as they were given, and an insert that is cut off goes on to exactly its rows."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.core.project import PROJECT
from pipeline.search.engine import Column
from pipeline.search.milvus import insertion
from pipeline.search.milvus.client import MilvusEngine

pytestmark = pytest.mark.milvus
ROWS, DIM = 300_000, 16
WRITER = (
    "import os, sys; from pipeline.search.engine import Endpoint;"
    "from pipeline.search.milvus.client import MilvusEngine;"
    "from tests.search.milvus.test_insertion import columns;"
    "engine = MilvusEngine(Endpoint(sys.argv[1], os.environ['TOKEN']));"
    "engine.insert(sys.argv[2], *columns(), progress=lambda done, total, text='', point=None: print(done, flush=True))"
)


def columns() -> tuple[np.ndarray, np.ndarray, dict[str, Column]]:
    """Make 300,000 rows in which each value tells its row."""
    ids = np.arange(ROWS) * 3 - 7
    return ids, np.repeat(np.arange(ROWS, dtype=np.float32), DIM).reshape(ROWS, DIM), {"number": ids * 2}


def test_columns_of_every_type_come_back(engine: MilvusEngine, points: np.ndarray) -> None:
    ids = np.array([0, 1, -1, 127, 128, 2**31, 2**62, -(2**63)])
    scalars: dict[str, Column] = {
        "text": ["", "a", "Ä", "日本", "'\"\\", "b" * 512, "x", "y"],
        "whole": np.array([0, -1, 2**63 - 1, -(2**63), 1, 2, 3, 4]),
        "real": np.array([0.0, -1.5, 1e300, 5e-324, 0.1, 2, 3, 4]),
    }
    engine.create("t_types", points.shape[1], "IP", {"text": "text", "whole": "int", "real": "float"})
    engine.insert("t_types", ids, points[:8], scalars)
    engine.build("t_types", "FLAT", {}, "IP")
    engine.load("t_types")
    rows = engine._collection("t_types").query("", output_fields=[*scalars, "vector"], limit=9)
    found = {row["id"]: row for row in rows}
    assert len(rows) == len(found) == 8
    for nth, key in enumerate(ids.tolist()):
        assert {name: found[key][name] for name in scalars} == {name: column[nth] for name, column in scalars.items()}
        assert (np.asarray(found[key]["vector"], np.float32) == points[nth]).all()
    engine.drop("t_types")


def test_batches_join_and_progress_is_told_for_each(
    engine: MilvusEngine, points: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insertion, "BATCH", 2500)
    told: list[float] = []
    engine.create("t_batches", points.shape[1], "IP")
    engine.insert("t_batches", np.arange(6000), points[::-1], {}, lambda done, *_: told.append(done))
    assert told == [2500, 5000, 6000]
    assert engine.flushed("t_batches") == 6000
    engine.build("t_batches", "FLAT", {}, "IP")
    engine.load("t_batches")
    rows = [0, 2499, 2500, 5999]
    vectors = engine._collection("t_batches").query(f"id in {rows}", output_fields=["vector"])
    for row in vectors:
        assert (np.asarray(row["vector"], np.float32) == points[::-1][row["id"]]).all()
    engine.drop("t_batches")


def test_columns_that_do_not_fit_are_a_sentence(engine: MilvusEngine, points: np.ndarray) -> None:
    engine.create("t_unfit", points.shape[1], "IP", {"text": "text"})
    with pytest.raises(UserError, match="'text' has 2 rows and there are 3 ids"):
        engine.insert("t_unfit", np.arange(3), points[:3], {"text": ["a", "b"]})
    with pytest.raises(UserError, match="Milvus at .* refused: "):
        engine.insert("t_unfit", np.arange(1), points[:1], {"text": ["a" * 513]})
    with pytest.raises(UserError, match="has no collection 't_nothing'"):
        engine.insert("t_nothing", np.arange(3), points[:3], {})
    assert engine.flushed("t_unfit") == 0
    engine.drop("t_unfit")


def test_an_insert_that_is_killed_goes_on_to_exactly_its_rows(
    engine: MilvusEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", engine.endpoint.token)
    engine.create("t_cut", DIM, "IP", {"number": "int"})
    command = [sys.executable, "-c", WRITER, engine.endpoint.uri, "t_cut"]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(3)][-1]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    ids, vectors, scalars = columns()
    done = engine.flushed("t_cut")
    assert told <= done < ROWS, "the kill came too early or too late to cut an insert off"
    engine.insert("t_cut", ids, vectors, scalars, start=done)
    engine.build("t_cut", "FLAT", {}, "IP")
    engine.load("t_cut")
    collection = engine._collection("t_cut")
    assert collection.query("", output_fields=["count(*)"], consistency_level="Strong")[0]["count(*)"] == ROWS
    found = []
    for low in range(0, ROWS, 15_000):
        part = f"id >= {ids[low]} and id < {ids[low] + 45_000}"
        found += [(row["id"], row["number"]) for row in collection.query(part, output_fields=["number"])]
    assert sorted(found) == [(key, 2 * key) for key in ids.tolist()]
    engine.drop("t_cut")
