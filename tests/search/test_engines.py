"""Every engine answers to one protocol: Milvus, FAISS, exact search in NumPy, and on a GPU exact search and cuVS."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.arrays import Floats
from pipeline.core.errors import NotLoaded, UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.compatibility import EMBEDDED, supported_names
from pipeline.search.engine import Engine, Found
from pipeline.search.exact.blocked import numpy_arrays
from pipeline.search.libraries.base import MemoryEngine
from pipeline.search.libraries.gpu_exact import GpuExactEngine
from pipeline.search.libraries.registry import LIBRARIES
from pipeline.search.measure import recall
from pipeline.search.params import Values, validate_build
from pipeline.store.workspace import Workspace
from pipeline.vectors.imported import ImportConfig, import_vectors

K = 100


@dataclass(frozen=True)
class Kind:
    """An engine, its index types, and why it cannot be had here, if it cannot."""

    make: Callable[[], Engine] | None
    """None: the one that tests share."""
    types: tuple[str, ...]
    exact: str
    """The type that compares with every vector."""
    unavailable: Callable[[], str | None] = lambda: None


def _exact(types: tuple[str, ...]) -> str:
    return next(name for name in ("FLAT", "GPU_BRUTE_FORCE") if name in types)


KINDS = {
    "milvus": Kind(None, tuple(supported_names(EMBEDDED)), "FLAT"),
    "exact": Kind(lambda: GpuExactEngine(numpy_arrays()), ("GPU_BRUTE_FORCE",), "GPU_BRUTE_FORCE"),
    **{name: Kind(one.factory, one.types, _exact(one.types), one.missing) for name, one in LIBRARIES.items()},
}
MARKS = {"milvus": [pytest.mark.milvus]}
EACH = [pytest.param(name, id=name, marks=MARKS.get(name, [])) for name in KINDS]
EACH_TYPE = [
    pytest.param((name, index), id=f"{name}-{index}", marks=MARKS.get(name, []))
    for name, kind in KINDS.items()
    for index in kind.types
]
MOST: dict[str, Values] = {  # over all lists
    "IVF_FLAT": {"nprobe": 310}, "IVF_SQ8": {"nprobe": 310}, "IVF_PQ": {"nprobe": 310}, "HNSW": {"ef": 800},
    "SCANN": {"nprobe": 310, "reorder_k": 1000}, "HNSW_SQ": {"ef": 800}, "GPU_IVF_FLAT": {"nprobe": 310},
    "GPU_IVF_PQ": {"nprobe": 310}, "GPU_CAGRA": {"itopk_size": 512},
}  # fmt: skip
EXACT = {"FLAT", "IVF_FLAT", "GPU_BRUTE_FORCE", "GPU_IVF_FLAT"}
REACHED = {"IVF_SQ8": 0.97, "IVF_PQ": 0.5, "GPU_IVF_PQ": 0.5, "HNSW_SQ": 0.95, "AUTOINDEX": 0.95}  # 8 bytes a vector
CODED = {"IVF_SQ8": 0.02, "HNSW_SQ": 0.02, "IVF_PQ": 0.2, "GPU_IVF_PQ": 0.2}  # scores of codes are near, not equal


@dataclass(frozen=True)
class Filled:
    """A collection that is built and loaded."""

    engine: Engine
    name: str
    index: str
    ids: np.ndarray
    vectors: Floats
    metric: str

    def search(self, queries: Floats, k: int, params: Values | None = None, filter: str = "") -> Found:
        return self.engine.search(self.name, queries, k, params or {}, filter)

    def recall(self, queries: Floats, params: Values) -> float:
        return recall(self.ids, self.vectors, queries, self.search(queries, K, params).ids, self.metric)


def _engine(request: pytest.FixtureRequest, name: str) -> Engine:
    kind = KINDS[name]
    if reason := kind.unavailable():
        pytest.skip(reason)
    return kind.make() if kind.make else request.getfixturevalue("engine")


def _params(engine: Engine, index: str, vectors: Floats) -> Values:
    """Give a type's defaults, which the libraries know by themselves."""
    return (
        {} if isinstance(engine, MemoryEngine) else validate_build(CATALOGUE[index], {}, vectors.shape[1], len(vectors))
    )


def _fill(engine: Engine, index: str, vectors: Floats, metric: str = "IP", name: str = "t_engines") -> Filled:
    ids = np.arange(len(vectors), dtype=np.int64)[::-1] * 3 + 7
    engine.drop(name)
    engine.create(name, vectors.shape[1], metric, {"item_id": "text"})
    engine.insert(name, ids, vectors, {"item_id": [f"item {i}" for i in ids]})
    report = engine.build(name, index, _params(engine, index, vectors), metric)
    assert report.rows == len(vectors)
    engine.load(name)
    return Filled(engine, name, index, ids, vectors, metric)


@pytest.fixture(params=EACH)
def kind(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, str]]:
    """Give an engine and its exact type; what a test makes there is gone afterwards."""
    engine = _engine(request, request.param)
    before = set(engine.collections())
    yield engine, KINDS[request.param].exact
    for name in set(engine.collections()) - before:
        engine.drop(name)


@pytest.fixture(scope="module", params=EACH)
def few(request: pytest.FixtureRequest, points: np.ndarray) -> Iterator[Filled]:
    """Give 300 points in the exact type of each engine; tests leave it as it is."""
    filled = _fill(_engine(request, request.param), KINDS[request.param].exact, points[:300], name="t_few_engines")
    yield filled
    filled.engine.drop(filled.name)


@pytest.fixture(scope="module", params=EACH_TYPE)
def built(request: pytest.FixtureRequest, points: np.ndarray) -> Iterator[Filled]:
    """Give all the points in an index of each type of each engine."""
    name, index = request.param
    filled = _fill(_engine(request, name), index, points, name=f"t_{index.lower()}")
    yield filled
    filled.engine.drop(filled.name)


def test_every_type_answers_as_the_exact_search(built: Filled) -> None:
    """With the most effort; with the least, an approximate index finds less: it is really used."""
    queries, entry = built.vectors[:200] + np.float32(0.01), CATALOGUE[built.index]
    reached = built.recall(queries, MOST.get(built.index, {}))
    assert reached == 1.0 if built.index in EXACT else reached >= REACHED.get(built.index, 0.99)
    takes = {p.name for p in entry.search}
    if isinstance(built.engine, MemoryEngine):
        takes &= set(built.engine.search_names[built.index])
    least: Values = {p.name: int(p.limits({"top_k": K})[0]) for p in entry.search if p.name in takes}
    if least:
        assert built.recall(queries, least) < min(reached, 1.0)


def test_it_tells_what_it_holds(built: Filled) -> None:
    told = built.engine.describe(built.name)
    assert (told["index"], told["metric"], told["loaded"]) == (built.index, "IP", True)
    assert told["rows"] == told["indexed_rows"] == len(built.vectors)
    assert built.name in built.engine.collections()


def test_scores_are_products_best_first(built: Filled) -> None:
    found = built.search(built.vectors[:3], 5, {"nprobe": 310} if "IVF" in built.index else {})
    rows = len(built.vectors) - 1 - (found.ids - 7) // 3
    expected = np.einsum("qd,qkd->qk", built.vectors[:3], built.vectors[rows])
    assert np.allclose(found.scores, expected, rtol=CODED.get(built.index, 1e-4))
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_released_it_says_so_and_loaded_it_answers(built: Filled) -> None:
    built.engine.release(built.name)
    assert built.engine.describe(built.name)["loaded"] is False
    with pytest.raises(NotLoaded, match="is not in memory"):
        built.search(built.vectors[:1], 5)
    built.engine.load(built.name)
    assert built.search(built.vectors[:1], 5).ids.shape == (1, 5)


@pytest.mark.parametrize("metric", ["L2", "COSINE"])
def test_scores_are_those_of_the_metric(kind: tuple[Engine, str], points: np.ndarray, metric: str) -> None:
    """L2: the squared distance, least first; COSINE: the product of directions, greatest first."""
    filled, queries = _fill(*kind, points[:1500], metric), points[:5] * np.float32(1.5)
    found = filled.search(queries, 10)
    near = filled.vectors[len(filled.vectors) - 1 - (found.ids - 7) // 3]
    expected = ((queries[:, None] - near) ** 2).sum(2) if metric == "L2" else np.einsum("qd,qkd->qk", queries, near)
    if metric == "COSINE":
        expected /= np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(near, axis=2)
    assert np.allclose(found.scores, expected, rtol=1e-4, atol=1e-3)
    assert (np.diff(found.scores if metric == "L2" else -found.scores, axis=1) >= 0).all()
    assert recall(filled.ids, filled.vectors, queries, found.ids, metric) == 1.0


def test_equal_vectors_are_found_once_each(kind: tuple[Engine, str], points: np.ndarray) -> None:
    filled = _fill(*kind, np.concatenate([np.repeat(points[:1], 40, axis=0), points[1:200]]), "L2")
    found = filled.search(points[:1], 30)
    assert len(set(found.ids[0].tolist())) == 30
    assert set(found.ids[0].tolist()) <= set(filled.ids[:40].tolist())
    assert np.allclose(found.scores, 0, atol=1e-4)


def test_where_there_are_fewer_rows_than_asked_for_the_rest_is_empty(few: Filled) -> None:
    found = few.search(few.vectors[:4], 350)
    assert found.ids.shape == found.scores.shape == (4, 350)
    assert (np.sort(found.ids[:, :300], axis=1) == np.sort(few.ids)).all()
    assert (found.ids[:, 300:] == -1).all()
    assert (found.scores[:, 300:] == 0).all()


def test_it_filters_or_says_that_it_cannot(few: Filled) -> None:
    wanted = sorted(few.ids[:20].tolist())
    expression = f"item_id in {[f'item {i}' for i in wanted]}"
    if isinstance(few.engine, MemoryEngine):
        with pytest.raises(UserError, match="cannot filter by"):
            few.search(few.vectors[:2], 25, filter=expression)
    else:
        found = few.search(few.vectors[:2], 25, filter=expression)
        assert all(sorted(row) == [-1] * 5 + wanted for row in found.ids.tolist())


def test_an_unknown_type_is_a_sentence_and_costs_nothing(few: Filled) -> None:
    with pytest.raises(UserError, match="HNWS"):
        few.engine.build(few.name, "HNWS", {}, "IP")
    assert few.search(few.vectors[:1], 5).ids.shape == (1, 5)


def test_what_is_dropped_is_gone_and_may_be_dropped_again(kind: tuple[Engine, str], points: np.ndarray) -> None:
    filled = _fill(*kind, points[:300])
    filled.engine.drop(filled.name)
    assert filled.name not in filled.engine.collections()
    filled.engine.drop(filled.name)
    with pytest.raises(UserError, match=f"has no collection '{filled.name}'"):
        filled.search(points[:1], 5)
    again = _fill(*kind, points[300:340])
    assert again.engine.describe(again.name)["rows"] == 40, "made again it has nothing of what was there"


def test_zeros_have_no_cosine_and_are_refused_before_anything_is_made(
    kind: tuple[Engine, str], workspace: Workspace, tmp_path: Path, points: np.ndarray
) -> None:
    engine, index = kind
    if index not in supported_names(EMBEDDED):
        pytest.skip(f"{index} is built in no workspace of this machine")
    np.save(tmp_path / "zeros.npy", np.concatenate([points[:40], np.zeros_like(points[:1])]))
    import_vectors(workspace, "mine", ImportConfig(file=str(tmp_path / "zeros.npy"), metric="L2"))
    before = engine.collections()
    with pytest.raises(UserError, match="1 of 41 vectors is all zeros"):
        build_index(workspace, IndexConfig(model="mine", index=index, metric="COSINE"), engine)
    assert engine.collections() == before
