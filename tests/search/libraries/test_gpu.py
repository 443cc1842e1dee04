"""What runs on a GPU, tested without one: the blocked search on NumPy, cuVS's arguments, and the sentences.

The cuVS engine itself is run against a stand-in that has cuVS's signatures (26.06) and NumPy's arithmetic; on a
machine with a GPU, `python -m pipeline library bench --library cuvs` is the test of the real one.
"""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.exact.blocked import Arrays, NumpyLike, TorchLike, nearest, numpy_arrays
from pipeline.search.libraries import cuvs, gpu_exact, library
from pipeline.search.params import validate_build


def _arrays(name: str) -> Arrays:
    return TorchLike(pytest.importorskip("torch"), "cpu") if name == "torch" else numpy_arrays()


@pytest.mark.parametrize(
    ("name", "block"),
    [("numpy", (7, 1000)), ("numpy", (64, 6000)), ("numpy", (1024, 65_536)), ("numpy", (50, 3)), ("torch", (7, 3))],
)
@pytest.mark.parametrize("metric", ["IP", "L2"])
def test_blocks_give_what_the_whole_matrix_gives(
    points: np.ndarray, name: str, metric: str, block: tuple[int, int]
) -> None:
    """Blocks that divide neither queries nor vectors, and blocks of fewer vectors than k; torch where it is there."""
    few, queries, k, arrays = points[:2000], points[2000:2060], 12, _arrays(name)
    rows, scores = nearest(arrays, arrays.put(few), queries, k, metric, block)
    near = queries @ few.T if metric == "IP" else -((queries[:, None] - few[None]) ** 2).sum(2)
    expected = np.argsort(-near, axis=1)[:, :k]
    assert (rows == expected).all()
    best = np.take_along_axis(near, expected, axis=1)
    assert np.allclose(scores, best if metric == "IP" else -best, rtol=1e-4, atol=1e-4)


def test_no_more_than_a_block_of_similarities_is_held(points: np.ndarray) -> None:
    class Watching(NumpyLike):
        largest = 0

        def top(self, scores: Any, k: int, floor: Any = None) -> Any:
            self.largest = max(self.largest, scores.size)
            return super().top(scores, k, floor)

    arrays = Watching(np, np.asarray)
    nearest(arrays, points, points[:300], 10, "IP", (100, 1000))
    assert arrays.largest == 100 * 1000


@pytest.mark.parametrize(
    ("index", "params", "metric", "build", "search"),
    [
        ("GPU_BRUTE_FORCE", {}, "L2", {"metric": "sqeuclidean"}, {}),
        ("GPU_IVF_FLAT", {"nlist": 64}, "IP", {"n_lists": 64, "metric": "inner_product"}, {"n_probes": 9}),
        (
            "GPU_IVF_PQ",
            {"nlist": 64, "m": 16, "nbits": 8},
            "L2",
            {"n_lists": 64, "pq_dim": 16, "pq_bits": 8, "metric": "sqeuclidean"},
            {"n_probes": 9},
        ),
        (
            "GPU_CAGRA",
            {"intermediate_graph_degree": 64, "graph_degree": 32},
            "IP",
            {"intermediate_graph_degree": 64, "graph_degree": 32, "metric": "inner_product"},
            {"itopk_size": 128, "search_width": 4},
        ),
    ],
)
def test_parameters_become_cuvss_keywords(
    index: str, params: dict[str, int], metric: str, build: dict[str, Any], search: dict[str, int]
) -> None:
    assert cuvs.build_arguments(index, params, metric) == build
    ours = {"n_probes": "nprobe"}
    assert cuvs.search_arguments(index, {ours.get(name, name): v for name, v in search.items()}) == search


def test_parameters_that_cuvs_refuses_are_sentences() -> None:
    with pytest.raises(UserError, match="nbits 12 is out of range for GPU_IVF_PQ: choose 4 to 8"):
        cuvs.build_arguments("GPU_IVF_PQ", {"nlist": 8, "m": 4, "nbits": 12}, "L2")
    with pytest.raises(UserError, match="m 3 times nbits 5 is no whole number of bytes"):
        cuvs.build_arguments("GPU_IVF_PQ", {"nlist": 8, "m": 3, "nbits": 5}, "L2")
    with pytest.raises(UserError, match="graph_degree 300 is over intermediate_graph_degree 128"):
        validate_build(CATALOGUE["GPU_CAGRA"], {"graph_degree": 300}, 32, 5000)


def _absent(monkeypatch: pytest.MonkeyPatch, *there: str) -> None:
    def find(name: str) -> object:
        return object() if name in there else None

    monkeypatch.setattr(library, "find_spec", find)


def test_without_the_packages_the_sentence_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    _absent(monkeypatch)
    with pytest.raises(UserError, match="cuVS needs cuvs and cupy, not installed here: run `uv pip install .*cuvs-cu"):
        cuvs.CUVS.engine()
    with pytest.raises(UserError, match="Exact search by PyTorch or CuPy needs torch or cupy, not installed here"):
        gpu_exact.GpuExactEngine()


def test_without_a_gpu_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses() -> int:
        raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

    runtime = SimpleNamespace(getDeviceCount=refuses)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(device_count=lambda: 0)))  # type: ignore[arg-type]
    _absent(monkeypatch, "cuvs", "cupy", "torch")
    with pytest.raises(UserError, match="cuVS needs an NVIDIA GPU and its driver .cudaErrorNoDevice.*nvidia-smi"):
        cuvs.CUVS.engine()
    with pytest.raises(
        UserError, match="Exact search by PyTorch or CuPy needs an NVIDIA GPU and its driver .none is found"
    ):
        gpu_exact.GpuExactEngine()


def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put modules with cuVS's signatures in its place; they compare with every vector, whatever the index."""

    class Cagra(ModuleType):
        class IndexParams:
            def __init__(
                self, *, metric: str = "", intermediate_graph_degree: int = 128, graph_degree: int = 64
            ) -> None:
                self.metric = metric

        class SearchParams:
            def __init__(self, *, itopk_size: int = 64, search_width: int = 1) -> None: ...

        @staticmethod
        def build(index_params: Any, dataset: Any) -> Any:
            return dataset, index_params.metric

        @staticmethod
        def search(search_params: Any, index: Any, queries: Any, k: int) -> Any:
            rows, scores = nearest(numpy_arrays(), index[0], queries, k, "L2" if "sq" in index[1] else "IP")
            return scores, rows.astype(np.uint32)

    class BruteForce(ModuleType):
        @staticmethod
        def build(dataset: Any, metric: str = "") -> Any:
            return dataset, metric

        @staticmethod
        def search(index: Any, queries: Any, k: int) -> Any:
            return Cagra.search(None, index, queries, k)

    cupy = SimpleNamespace(
        asarray=np.asarray,
        asnumpy=np.asarray,
        cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 1)),
    )
    for name, module in (
        ("cupy", cupy),
        ("cuvs", ModuleType("cuvs")),
        ("cuvs.neighbors", ModuleType("cuvs.neighbors")),
        ("cuvs.neighbors.cagra", Cagra("cagra")),
        ("cuvs.neighbors.brute_force", BruteForce("brute_force")),
    ):
        monkeypatch.setitem(sys.modules, name, module)  # type: ignore[arg-type]
    _absent(monkeypatch, "cuvs", "cupy")


@pytest.mark.parametrize("index", ["GPU_CAGRA", "GPU_BRUTE_FORCE"])
def test_the_cuvs_engine_calls_cuvs_as_it_is_documented(
    monkeypatch: pytest.MonkeyPatch, points: np.ndarray, index: str
) -> None:
    _stand_in(monkeypatch)
    engine = cuvs.CuvsEngine()
    engine.create("t", points.shape[1], "COSINE")
    engine.insert("t", np.arange(len(points)) * 3 + 7, points, {})
    engine.build("t", index, {}, "COSINE")
    engine.load("t")
    found = engine.search("t", points[:20], 5, {})
    assert (found.ids[:, 0] == np.arange(20) * 3 + 7).all()
    assert np.allclose(found.scores[:, 0], 1, atol=1e-5)
