"""Exact search on a GPU by PyTorch or CuPy, whichever is there: the ground that an approximate index is measured on."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from pipeline.core.arrays import Floats, Rows
from pipeline.core.errors import UserError
from pipeline.search.exact.blocked import Arrays, ExactSearch, NumpyLike, TorchLike
from pipeline.search.exact.distance import scores
from pipeline.search.libraries.base import Checked, MemoryCollection, MemoryEngine
from pipeline.search.libraries.library import Library


def _torch() -> Arrays:
    return TorchLike(import_module("torch"), "cuda")


def _cupy() -> Arrays:
    module = import_module("cupy")
    return NumpyLike(module, module.asnumpy)


MODULES: dict[str, Callable[[], Arrays]] = {"torch": _torch, "cupy": _cupy}


def gpu_arrays() -> Arrays:
    """Give the arrays of the first module that has a GPU, or raise UserError."""
    there = GPU_EXACT.packages()
    if there is None:
        raise UserError(str(GPU_EXACT.missing()))
    return MODULES[there[-1]]()


class GpuExactEngine(MemoryEngine):
    """Compare every query with every vector on the GPU, in blocks; `arrays` replaces the GPU's."""

    library = "Exact on GPU"
    build_names: ClassVar = {"GPU_BRUTE_FORCE": ()}
    search_names: ClassVar = {"GPU_BRUTE_FORCE": ()}
    compares_cosines = True

    def __init__(self, arrays: Arrays | None = None) -> None:
        super().__init__()
        self.arrays = arrays or gpu_arrays()

    def _make(self, index: str, params: Checked, metric: str, vectors: Floats) -> Any:
        return ExactSearch(self.arrays, self.arrays.put(vectors), metric, stay=True)

    def _ask(self, held: MemoryCollection, queries: Floats, k: int, params: Checked) -> tuple[Rows, Floats]:
        rows, far = held.built.nearest(queries, k)
        return rows, scores(far, held.metric).astype(np.float32)


GPU_EXACT = Library(
    "gpu_exact",
    "Exact search by PyTorch or CuPy",
    "gpu",
    types=tuple(GpuExactEngine.build_names),
    needs=(("torch",), ("cupy",)),
    install="'cupy-cuda12x<14'",
    factory=GpuExactEngine,
)
