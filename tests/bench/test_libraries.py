"""The comparison measures what it says, on arrays and on a workspace; a real Milvus takes the same measure."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.index import library as library_on_page
from pipeline.bench.libraries import LIBRARIES, compare, listing
from pipeline.core.columns import ID, VECTOR
from pipeline.core.errors import UserError
from pipeline.core.stage import run_stage
from pipeline.core.workspace import Workspace
from pipeline.search.measure import measure, recall
from pipeline.search.milvus.client import MilvusEngine
from pipeline.vectors.embed import EmbedConfig, vectors_stage
from tests.conftest import cli_here

SHARED = {"index", "metric", "build", "search", "rows", "dim", "queries", "k", "insert_s", "build_s", "recall"}


@pytest.mark.parametrize("threads", [1, 0])
def test_faiss_is_measured(points: np.ndarray, threads: int) -> None:
    ids = np.arange(len(points)) * 3 + 7
    measured = compare(ids, points, points[:60], "HNSW", {"M": 16}, {"ef": 64}, "IP", 10, "faiss", threads)
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
    measured = compare(np.arange(len(many)), many, points[:50], "FLAT", {}, {}, metric, 7)
    assert measured["recall"] == 1.0


def test_recall_counts_wrong_and_missing_answers(points: np.ndarray) -> None:
    ids = np.arange(len(points)) + 100
    order = np.argsort(-(points[:4] @ points.T), axis=1)
    found = order[:, :10] + 100
    found[:, 8] = order[:, -1] + 100
    found[:, 9] = -1
    assert recall(ids, points, points[:4], found, "IP") == pytest.approx(0.8)


def test_the_page_offers_what_the_library_has() -> None:
    assert set(library_on_page.FAISS) == set(LIBRARIES["faiss"].types)


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
            compare(ids, points, points[:5], *arguments)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="There are no queries"):
        compare(ids, points, points[:0], "FLAT", {}, {}, "IP", 5)


def test_each_library_works_here_or_says_why_not(points: np.ndarray) -> None:
    assert [row["name"] for row in listing()] == list(LIBRARIES)
    assert LIBRARIES["faiss"].available() is None
    for name, library in LIBRARIES.items():
        if reason := library.available():
            assert "run " in reason
            with pytest.raises(UserError) as caught:
                compare(np.arange(9), points[:9], points[:2], library.types[0], {}, {}, "IP", 3, name)
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


@pytest.mark.milvus
def test_milvus_goes_through_the_same_measure(engine: MilvusEngine, points: np.ndarray) -> None:
    ids = np.arange(len(points)) * 3 + 7
    asked = ("HNSW", {"M": 16, "efConstruction": 200}, {"ef": 64}, "IP", 10)
    database = measure(engine, ids, points, points[:60], *asked)
    library = compare(ids, points, points[:60], *asked)
    assert database.keys() == SHARED | {"p50_ms", "p95_ms"}
    assert min(database["recall"], library["recall"]) > 0.9
    assert not [name for name in engine.collections() if name.startswith("bench_")]
