"""The comparison measures what it says, on arrays and on a workspace; a real Milvus takes the same measure."""

import json
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from app.index import library as library_on_page
from pipeline.bench.libraries import measure_library
from pipeline.cli import app
from pipeline.core.columns import ID, VECTOR
from pipeline.core.errors import UserError
from pipeline.jobs.job import create
from pipeline.search.libraries.base import Checked, MemoryCollection, MemoryEngine
from pipeline.search.libraries.library import Library
from pipeline.search.libraries.registry import LIBRARIES, describe_libraries, libraries_with
from pipeline.search.measure import measure, recall
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.stage import run_stage
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace, write_json
from pipeline.vectors.embed import EmbedConfig, vectors_stage
from tests.conftest import cli_here

SHARED = {"index", "metric", "build", "search", "rows", "dim", "queries", "k", "insert_s", "build_s", "recall"}


@pytest.mark.parametrize("threads", [1, 0])
def test_faiss_is_measured(points: np.ndarray, threads: int) -> None:
    ids = np.arange(len(points)) * 3 + 7
    measured = measure_library(ids, points, points[:60], "HNSW", {"M": 16}, {"ef": 64}, "IP", 10, "faiss", threads)
    assert measured.keys() == SHARED | {"library", "device", "threads", "p50_ms", "p95_ms"}
    assert measured["build"] == {"M": 16, "efConstruction": 200}
    assert measured["recall"] > 0.9
    assert 0 < measured["p50_ms"] <= measured["p95_ms"]
    assert measured["build_s"] > 0
    assert measured["threads"] >= 1
    assert threads in (0, measured["threads"])


@pytest.mark.parametrize("metric", ["IP", "L2", "COSINE"])
def test_an_exact_index_has_recall_one_even_among_equals(points: np.ndarray, metric: str) -> None:
    """Every vector five times: which of the equals an index gives is no error."""
    many = np.repeat(points[:500], 5, axis=0)
    measured = measure_library(np.arange(len(many)), many, points[:50], "FLAT", {}, {}, metric, 7)
    assert measured["recall"] == 1.0


def test_recall_counts_wrong_and_missing_answers(points: np.ndarray) -> None:
    ids = np.arange(len(points)) + 100
    order = np.argsort(-(points[:4] @ points.T), axis=1)
    found = order[:, :10] + 100
    found[:, 8] = order[:, -1] + 100
    found[:, 9] = -1
    assert recall(ids, points, points[:4], found, "IP") == pytest.approx(0.8)


def test_what_cannot_be_compared_is_a_sentence(points: np.ndarray) -> None:
    ids = np.arange(len(points))
    for arguments, expected in (
        (
            ("FLAT", {}, {}, "IP", 5, "fais"),
            "There is no library 'fais': choose faiss, cuvs, gpu_exact. Did you mean faiss",
        ),
        (("GPU_CAGRA", {}, {}, "IP", 5, "faiss"), "There is no FAISS index type 'GPU_CAGRA'"),
        (("FLAT", {}, {}, "IP", 5, "faiss", 9999), "9999 threads are out of range"),
    ):
        with pytest.raises(UserError, match=expected):
            measure_library(ids, points, points[:5], *arguments)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="There are no queries"):
        measure_library(ids, points, points[:0], "FLAT", {}, {}, "IP", 5)


def test_each_library_works_here_or_says_why_not(points: np.ndarray) -> None:
    assert [row["name"] for row in describe_libraries()] == list(LIBRARIES)
    assert LIBRARIES["faiss"].missing() is None
    for name, library in LIBRARIES.items():
        if reason := library.missing():
            assert "run " in reason
            with pytest.raises(UserError) as caught:
                measure_library(np.arange(9), points[:9], points[:2], library.types[0], {}, {}, "IP", 3, name)
            assert str(caught.value) == reason


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, points: np.ndarray) -> Path:
    """Write vectors where `embed` would: 6,000 items and 300 sessions."""
    workspace = Workspace.open(tmp_path_factory.mktemp("embedded") / "ws")

    def body(folder: Path, report: object) -> dict[str, int]:
        for name, part in (("items", points), ("sessions", points[:300] + np.float32(0.1))):
            column = pl.Series(part, dtype=pl.Array(pl.Float32, part.shape[1]))
            pl.DataFrame({ID: np.arange(len(part)), VECTOR: column}).write_parquet(folder / f"{name}.parquet")
        return {}

    run_stage(workspace, vectors_stage("session"), EmbedConfig(), body, inputs=[])
    return workspace.root


def test_the_command_measures_the_workspaces_vectors(embedded: Path) -> None:
    options = (
        "--index",
        "IVF_FLAT",
        "--build",
        "nlist=50",
        "--search",
        "nprobe=50",
        "--queries",
        "100",
        "--threads",
        "1",
    )
    code, answer = cli_here(embedded, "library", "bench", "--library", "faiss", *options)
    assert code == 0, answer
    assert answer["recall"] == 1.0
    assert (answer["rows"], answer["queries"], answer["threads"]) == (6000, 100, 1)
    assert answer["build"] == {"nlist": 50}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--library", "fais"], "Did you mean faiss?"),
        (["--index", "HNWS"], "There is no index type 'HNWS'"),
        (["--index", "IVF_PQ", "--build", "m=7"], "m 7 does not divide dim 32"),
        (["--metric", "dot"], "There is no metric 'DOT'"),
        (["--vectors", "users"], "There are no vectors of 'users'"),
    ],
)
def test_what_the_user_can_mend_is_a_sentence(embedded: Path, options: list[str], expected: str) -> None:
    code, answer = cli_here(embedded, "library", "bench", *options)
    assert code == 2
    assert expected in answer["error"]


def test_the_command_lists_the_libraries(tmp_path: Path) -> None:
    code, answer = cli_here(tmp_path / "ws", "library", "list")
    assert code == 0
    assert [row["name"] for row in answer["libraries"]] == ["faiss", "cuvs", "gpu_exact"]
    assert answer["libraries"][0]["reason"] is None


class Sorting(MemoryEngine):
    """A library of the test's own: it sorts the products with all vectors."""

    library = "Sorting"
    build_names: ClassVar = {"FLAT": ()}
    search_names: ClassVar = {"FLAT": ()}

    def _make(self, index: str, params: Checked, metric: str, vectors: np.ndarray) -> np.ndarray:
        return vectors

    def _ask(
        self, held: MemoryCollection, queries: np.ndarray, k: int, params: Checked
    ) -> tuple[np.ndarray, np.ndarray]:
        products = queries @ held.built.T
        rows = np.argsort(-products, axis=1)[:, :k]
        return rows, np.take_along_axis(products, rows, axis=1)


def _sorting(package: str) -> Library:
    return Library("sorting", "The sorter", "cpu", ("FLAT",), ((package,),), package, Sorting)


ROW: dict[str, Any] = {
    "name": "items-flat",
    "index": "FLAT",
    "vectors": "items",
    "model": "session",
    "params": {},
    "metric": "IP",
    "p50_ms": 3.5,
    "recall@10": 1.0,
    "build_s": 2.0,
}


def _page() -> None:
    from app.index import library
    from tests.bench.test_libraries import ROW

    library.show(ROW)


def _labels(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(embedded))
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert not page.exception
    return [part.label for part in (*page.metric, *page.button)]


def test_one_entry_lists_measures_and_shows_a_library(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _labels(embedded, monkeypatch) == ["Compare with FAISS"]
    monkeypatch.setitem(LIBRARIES, "sorting", _sorting("numpy"))
    assert _labels(embedded, monkeypatch) == ["Compare with FAISS", "Compare with The sorter"]
    listed = _invoked("library", "list", "--workspace", str(embedded))["libraries"][-1]
    assert (listed["title"], listed["types"], listed["reason"]) == ("The sorter", ["FLAT"], None)
    command = library_on_page.bench_command(ROW, LIBRARIES["sorting"])
    measured = _invoked(*command, "--workspace", str(embedded))
    assert (measured["library"], measured["recall"], measured["threads"]) == ("sorting", 1.0, 1)
    job, alive = create(Workspace.open(embedded), "library items-flat", "")
    os.close(alive)
    write_json(job.folder / "end.json", {"state": "done", "code": 0, "result": measured})
    assert _labels(embedded, monkeypatch) == ["In Milvus", "In The sorter alone", "Compare with FAISS"]


def test_a_library_that_lacks_its_package_is_listed_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIBRARIES, "sorting", _sorting("no_such_package"))
    reason = describe_libraries()[-1]["reason"]
    assert reason.startswith("The sorter needs no_such_package, not installed here: run `uv pip install")
    assert [library.name for library in libraries_with("FLAT")] == ["faiss"]
    with pytest.raises(UserError, match="needs no_such_package"):
        measure_library(
            np.arange(9), np.eye(9, dtype=np.float32), np.eye(9, dtype=np.float32), "FLAT", {}, {}, "IP", 3, "sorting"
        )


def _invoked(*arguments: str) -> dict[str, Any]:
    """Run a command in this process, which has the library."""
    ended = CliRunner().invoke(app, [*arguments, "--json"])
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.output.splitlines()[-1])


@pytest.mark.milvus
def test_milvus_goes_through_the_same_measure(engine: MilvusEngine, points: np.ndarray) -> None:
    ids = np.arange(len(points)) * 3 + 7
    asked = ("HNSW", {"M": 16, "efConstruction": 200}, {"ef": 64}, "IP", 10)
    database = measure(engine, ids, points, points[:60], *asked)
    library = measure_library(ids, points, points[:60], *asked)
    assert database.keys() == SHARED | {"p50_ms", "p95_ms"}
    assert min(database["recall"], library["recall"]) > 0.9
    assert not [name for name in engine.collections() if name.startswith("bench_")]
