"""Exact search on a GPU by PyTorch or CuPy, whichever is there: the ground that an approximate index is measured on."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from pipeline.core.arrays import Floats, Rows
from pipeline.core.errors import UserError
from pipeline.search.exact.blocked import Arrays, ExactSearch, NumpyLike, TorchLike
from pipeline.search.exact.distance import scores
from pipeline.search.libraries.base import Held, MemoryEngine, Options
from pipeline.search.libraries.gpu import lacks, no_gpu

_NAME = "Exact search on a GPU"


def _torch() -> Arrays:
    return TorchLike(import_module("torch"), "cuda")


def _cupy() -> Arrays:
    module = import_module("cupy")
    return NumpyLike(module, module.asnumpy)


MODULES: dict[str, Callable[[], Arrays]] = {"torch": _torch, "cupy": _cupy}


def unavailable() -> str | None:
    """Say why there is no exact search on a GPU here, or give None."""
    installed = [name for name in MODULES if find_spec(name)]
    if not installed:
        return lacks(["cupy"], "'cupy-cuda12x<14'", f"{_NAME} (by CuPy or torch)")
    reasons = [no_gpu(name, _NAME) for name in installed]
    return None if None in reasons else reasons[0]


def gpu_arrays() -> Arrays:
    """Give the arrays of the first module that has a GPU, or raise UserError."""
    if reason := unavailable():
        raise UserError(reason)
    name = next(n for n in MODULES if find_spec(n) and no_gpu(n, _NAME) is None)
    return MODULES[name]()


class GpuExactEngine(MemoryEngine):
    """Compare every query with every vector on the GPU, in blocks; `arrays` replaces the GPU's."""

    library = "Exact on GPU"
    build_names: ClassVar = {"GPU_BRUTE_FORCE": ()}
    search_names: ClassVar = {"GPU_BRUTE_FORCE": ()}
    compares_cosines = True

    def __init__(self, arrays: Arrays | None = None) -> None:
        super().__init__()
        self.arrays = arrays or gpu_arrays()

    def _make(self, index: str, params: Options, metric: str, vectors: Floats) -> Any:
        return ExactSearch(self.arrays, self.arrays.put(vectors), metric, stay=True)

    def _ask(self, held: Held, queries: Floats, k: int, params: Options) -> tuple[Rows, Floats]:
        rows, far = held.built.nearest(queries, k)
        return rows, scores(far, held.metric).astype(np.float32)
