"""What is FAISS's own among the engines: every type with L2 and COSINE, and what it cannot do is a sentence."""

import numpy as np
import pytest

from pipeline.core.errors import NotLoaded, UserError
from pipeline.search.libraries.faiss import RECIPES, FaissEngine
from pipeline.search.measure import recall
from pipeline.search.params import Values

MOST: dict[str, Values] = {
    "IVF_FLAT": {"nprobe": 100}, "IVF_SQ8": {"nprobe": 100}, "HNSW": {"ef": 800}, "HNSW_SQ": {"ef": 800},
    "SCANN": {"nprobe": 100, "reorder_k": 1000},
}  # fmt: skip


def _ids(points: np.ndarray) -> np.ndarray:
    return np.arange(len(points), dtype=np.int64)[::-1] * 3 + 7


def _filled(points: np.ndarray, metric: str = "IP") -> FaissEngine:
    engine = FaissEngine()
    engine.create("t", points.shape[1], metric)
    engine.insert("t", _ids(points), points, {})
    return engine


def _built(points: np.ndarray, index: str, metric: str = "IP", params: Values | None = None) -> FaissEngine:
    engine = _filled(points, metric)
    report = engine.build("t", index, params or {}, metric)
    assert report.rows == report.indexed_rows == len(points)
    engine.load("t")
    return engine


@pytest.mark.parametrize("metric", ["L2", "COSINE"])
@pytest.mark.parametrize("index", [index for index in RECIPES if index not in ("FLAT", "IVF_PQ")])
def test_every_type_compares_by_every_metric(points: np.ndarray, index: str, metric: str) -> None:
    engine, queries = _built(points[:2000], index, metric), points[:100] + np.float32(0.01)
    found = engine.search("t", queries, 10, MOST[index])
    assert recall(_ids(points[:2000]), points[:2000], queries, found.ids, metric) > 0.94


@pytest.mark.parametrize(
    ("index", "params", "expected"),
    [
        ("HNWS", {}, "There is no FAISS index type 'HNWS'.*Did you mean HNSW"),
        ("IVF_PQ", {"m": 7}, "m 7 does not divide dim 32: choose one of 1, 2, 4, 8, 16, 32"),
        ("IVF_PQ", {"nbits": 14}, "nbits 14 makes 16,384 codes of 6,000 vectors: choose at most 12"),
        ("IVF_FLAT", {"nlist": 6001}, "nlist 6001 is over the 6,000 vectors"),
        ("IVF_FLAT", {"nlist": 0}, "nlist 0 is out of range"),
        ("HNSW", {"nlist": 5}, "HNSW has no parameter 'nlist' here: it takes M, efConstruction"),
        ("FLAT", {"M": 5}, "FLAT has no parameter 'M' here: it takes none"),
    ],
)
def test_what_cannot_be_built_is_a_sentence(points: np.ndarray, index: str, params: Values, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        _filled(points).build("t", index, params, "IP")


def test_scann_needs_as_many_vectors_as_codes(points: np.ndarray) -> None:
    with pytest.raises(UserError, match="15 vectors are too few: choose FLAT"):
        _filled(points[:15]).build("t", "SCANN", {}, "IP")


@pytest.mark.parametrize(
    ("index", "params", "k", "expected"),
    [
        ("HNSW", {"ef": 9}, 10, "ef 9 is below top_k 10"),
        ("IVF_FLAT", {"nprobe": 156}, 10, "nprobe 156 is over the index's nlist: choose at most 155"),
        ("SCANN", {"reorder_k": 3}, 10, "reorder_k 3 is below top_k 10"),
        ("FLAT", {}, 0, "top_k 0 is out of range"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(
    points: np.ndarray, index: str, params: Values, k: int, expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        _built(points[:1500], index).search("t", points[:1], k, params)


def test_metrics_shapes_filters_and_names_are_checked(points: np.ndarray) -> None:
    engine = _built(points[:100], "FLAT")
    for call, expected in (
        (lambda: engine.create("x", 4, "JACCARD"), "There is no metric 'JACCARD': choose L2, IP, COSINE"),
        (lambda: engine.insert("t", np.arange(2), points[:3], {}), "2 ids and vectors of shape"),
        (lambda: engine.search("t", points[:1, :4], 1, {}), "do not fit 't': give \\(queries, 32\\)"),
        (lambda: engine.search("t", points[:1], 1, {}, "item_id == 1"), "FAISS cannot filter"),
        (lambda: engine.load("nothing"), "FAISS has no collection 'nothing'"),
    ):
        with pytest.raises(UserError, match=expected):
            call()


def test_a_collection_lives_as_in_milvus(points: np.ndarray) -> None:
    engine = _filled(points[:500])
    with pytest.raises(UserError, match="has no index yet"):
        engine.load("t")
    engine.build("t", "HNSW", {"M": 8}, "IP")
    with pytest.raises(NotLoaded, match="is not in memory"):
        engine.search("t", points[:1], 5, {})
    engine.load("t")
    assert engine.search("t", points[:1], 5, {}).ids.shape == (1, 5)
    assert engine.describe("t") == {
        "rows": 500,
        "index": "HNSW",
        "metric": "IP",
        "params": {"M": 8, "efConstruction": 200},
        "indexed_rows": 500,
        "loaded": True,
    }
    engine.insert("t", np.arange(5), points[:5], {})
    assert engine.describe("t")["indexed_rows"] == 0
    engine.drop("t")
    engine.drop("t")
    assert engine.collections() == []
