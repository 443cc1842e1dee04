"""FAISS answers as the exact search does, for every type and metric, and says what it cannot do."""

import numpy as np
import pytest

from pipeline.core.errors import NotLoaded, UserError
from pipeline.search.libraries.faiss import RECIPES, FaissEngine
from pipeline.search.measure import recall
from pipeline.search.params import Values

K = 10
METRICS = ("L2", "IP", "COSINE")
EXACT = ("FLAT", "IVF_FLAT")  # over all lists
MOST: dict[str, Values] = {
    "FLAT": {},
    "IVF_FLAT": {"nprobe": 310},
    "IVF_SQ8": {"nprobe": 310},
    "IVF_PQ": {"nprobe": 310},
    "HNSW": {"ef": 800},
    "SCANN": {"nprobe": 310, "reorder_k": 1000},
    "HNSW_SQ": {"ef": 800},
}
LEAST: dict[str, Values] = {
    "IVF_FLAT": {"nprobe": 1},
    "IVF_SQ8": {"nprobe": 1},
    "IVF_PQ": {"nprobe": 1},
    "HNSW": {"ef": K},
    "SCANN": {"nprobe": 1, "reorder_k": K},
    "HNSW_SQ": {"ef": K},
}
REACHED = {"IVF_SQ8": 0.97, "IVF_PQ": 0.5, "HNSW": 0.99, "SCANN": 0.99, "HNSW_SQ": 0.95}  # IVF_PQ: 8 bytes a vector


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


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("index", list(RECIPES))
def test_every_type_with_every_metric_answers_as_the_exact_search(points: np.ndarray, index: str, metric: str) -> None:
    engine, ids, queries = _built(points, index, metric), _ids(points), points[:200] + np.float32(0.01)
    reached = recall(ids, points, queries, engine.search("t", queries, K, MOST[index]).ids, metric)
    assert reached == 1.0 if index in EXACT else reached >= REACHED[index]
    if index in LEAST:
        least = recall(ids, points, queries, engine.search("t", queries, K, LEAST[index]).ids, metric)
        assert least < min(reached, 1.0)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_milvuss(points: np.ndarray, metric: str) -> None:
    """L2: the squared distance, least first; IP and COSINE: the product, greatest first."""
    queries = points[:5] * np.float32(1.5)
    found = _built(points, "FLAT", metric).search("t", queries, K, {})
    near = points[len(points) - 1 - (found.ids - 7) // 3]
    expected = ((queries[:, None] - near) ** 2).sum(2) if metric == "L2" else np.einsum("qd,qkd->qk", queries, near)
    if metric == "COSINE":
        expected /= np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(near, axis=2)
    assert np.allclose(found.scores, expected, rtol=1e-4, atol=1e-3)
    assert (np.diff(found.scores if metric == "L2" else -found.scores, axis=1) >= 0).all()


@pytest.mark.parametrize("index", ["FLAT", "IVF_FLAT", "HNSW"])
def test_where_k_is_over_the_rows_the_rest_is_empty(points: np.ndarray, index: str) -> None:
    found = _built(points[:30], index, params={"nlist": 1} if "IVF" in index else {}).search("t", points[:4], 50, {})
    assert (np.sort(found.ids[:, :30], axis=1) == np.sort(_ids(points[:30]))).all()
    assert (found.ids[:, 30:] == -1).all()
    assert (found.scores[:, 30:] == 0).all()


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
        ("IVF_FLAT", {"nprobe": 311}, 10, "nprobe 311 is over the index's nlist: choose at most 310"),
        ("SCANN", {"reorder_k": 3}, 10, "reorder_k 3 is below top_k 10"),
        ("FLAT", {}, 0, "top_k 0 is out of range"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(
    points: np.ndarray, index: str, params: Values, k: int, expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        _built(points, index).search("t", points[:1], k, params)


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
