"""cuVS on an NVIDIA GPU: the library that Milvus's GPU indexes are built on (https://docs.rapids.ai/api/cuvs)."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from pipeline.core.arrays import Floats, Rows
from pipeline.core.errors import UserError
from pipeline.search.libraries.base import Checked, MemoryCollection, MemoryEngine
from pipeline.search.libraries.library import Library

_METRICS = {"L2": "sqeuclidean", "IP": "inner_product"}


@dataclass(frozen=True)
class CuvsRecipe:
    """Which module of `cuvs.neighbors` makes an index type, and its keywords for Milvus's parameters."""

    module: str
    build: dict[str, str] = field(default_factory=dict)
    search: dict[str, str] = field(default_factory=dict)


_PROBES = {"nprobe": "n_probes"}
RECIPES = {
    "GPU_BRUTE_FORCE": CuvsRecipe("brute_force"),
    "GPU_IVF_FLAT": CuvsRecipe("ivf_flat", {"nlist": "n_lists"}, _PROBES),
    "GPU_IVF_PQ": CuvsRecipe("ivf_pq", {"nlist": "n_lists", "m": "pq_dim", "nbits": "pq_bits"}, _PROBES),
    "GPU_CAGRA": CuvsRecipe(
        "cagra",
        {"intermediate_graph_degree": "intermediate_graph_degree", "graph_degree": "graph_degree"},
        {"itopk_size": "itopk_size", "search_width": "search_width"},
    ),
}


def build_arguments(index: str, params: Checked, metric: str) -> dict[str, Any]:
    """Name build parameters as cuVS's IndexParams (or brute_force.build) takes them; metric is L2 or IP."""
    bits = params.get("nbits", 8)
    if not 4 <= bits <= 8:
        raise UserError(f"nbits {bits} is out of range for {index}: choose 4 to 8.")
    if params.get("m", 8) * bits % 8:
        raise UserError(f"m {params['m']} times nbits {bits} is no whole number of bytes: choose nbits 8 or another m.")
    return {RECIPES[index].build[name]: value for name, value in params.items()} | {"metric": _METRICS[metric]}


def search_arguments(index: str, params: Checked) -> dict[str, int]:
    """Name search parameters as cuVS's SearchParams takes them."""
    return {RECIPES[index].search[name]: value for name, value in params.items()}


class CuvsEngine(MemoryEngine):
    """Search with cuVS, which needs a GPU."""

    library = "cuVS"
    build_names: ClassVar = {name: tuple(recipe.build) for name, recipe in RECIPES.items()}
    search_names: ClassVar = {name: tuple(recipe.search) for name, recipe in RECIPES.items()}

    def _make(self, index: str, params: Checked, metric: str, vectors: Floats) -> Any:
        cupy, neighbors = import_module("cupy"), _neighbors(index)
        arguments, data = build_arguments(index, params, metric), cupy.asarray(vectors)
        if index == "GPU_BRUTE_FORCE":
            made = neighbors.build(data, **arguments)
        else:
            made = neighbors.build(neighbors.IndexParams(**arguments), data)
        return made, data  # an index refers to its data and does not keep it alive

    def _ask(self, held: MemoryCollection, queries: Floats, k: int, params: Checked) -> tuple[Rows, Floats]:
        index = str(held.index)
        cupy, neighbors, (made, _) = import_module("cupy"), _neighbors(index), held.built
        given = [] if index == "GPU_BRUTE_FORCE" else [neighbors.SearchParams(**search_arguments(index, params))]
        scores, rows = neighbors.search(*given, made, cupy.asarray(queries), k)
        return cupy.asnumpy(cupy.asarray(rows)).astype(np.int64), cupy.asnumpy(cupy.asarray(scores))


def _neighbors(index: str) -> Any:
    return import_module(f"cuvs.neighbors.{RECIPES[index].module}")


CUVS = Library(
    "cuvs",
    "NVIDIA cuVS",
    "gpu",
    types=tuple(RECIPES),
    needs=(("cuvs", "cupy"),),
    install="cuvs-cu12 'cupy-cuda12x<14'",  # CuPy 14 wants numpy 2
    factory=CuvsEngine,
)
