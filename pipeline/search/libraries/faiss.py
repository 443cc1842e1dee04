"""FAISS on the CPU, in this process: the library that Milvus's CPU indexes are built on (https://faiss.ai)."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from pipeline.core.arrays import Floats, Rows
from pipeline.core.errors import UserError
from pipeline.search.libraries.base import Checked, MemoryCollection, MemoryEngine
from pipeline.search.libraries.library import Library

_NLIST, _NPROBE = ("nlist",), ("nprobe",)
_GRAPH, _EF = ("M", "efConstruction"), ("ef",)


@dataclass(frozen=True)
class FaissRecipe:
    """How FAISS makes an index type: the string for its factory, filled with Milvus's parameters."""

    factory: str
    build: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


RECIPES = {
    "FLAT": FaissRecipe("Flat"),
    "IVF_FLAT": FaissRecipe("IVF{nlist},Flat", _NLIST, _NPROBE),
    "IVF_SQ8": FaissRecipe("IVF{nlist},SQ8", _NLIST, _NPROBE),
    # np: no polysemous training, which orders codes for a search that nobody does here and took 35 s for 6,000 vectors
    "IVF_PQ": FaissRecipe("IVF{nlist},PQ{m}x{nbits}np", ("nlist", "m", "nbits"), _NPROBE),
    "HNSW": FaissRecipe("HNSW{M},Flat", _GRAPH, _EF),
    # as Milvus's SCANN: two dimensions a four-bit code, and the candidates compared again by their whole vectors
    "SCANN": FaissRecipe("IVF{nlist},PQ{pairs}x4fs,RFlat", _NLIST, ("nprobe", "reorder_k")),
    "HNSW_SQ": FaissRecipe("HNSW{M},SQ8", _GRAPH, _EF),
}


class FaissEngine(MemoryEngine):
    """Search with FAISS; it runs on as many threads as its OpenMP is set to."""

    library = "FAISS"
    build_names: ClassVar = {name: recipe.build for name, recipe in RECIPES.items()}
    search_names: ClassVar = {name: recipe.search for name, recipe in RECIPES.items()}

    def __init__(self) -> None:
        import_module("faiss")  # now, and not within the first build that is timed
        super().__init__()

    def _make(self, index: str, params: Checked, metric: str, vectors: Floats) -> Any:
        import faiss

        rows, dim = vectors.shape
        if index == "SCANN" and rows < 16:
            raise UserError(f"SCANN learns 16 codes and {rows} vectors are too few: choose FLAT.")
        if 2 ** params.get("nbits", 0) > rows:
            raise UserError(
                f"nbits {params['nbits']} makes {2 ** params['nbits']:,} codes of {rows:,} vectors: "
                f"choose at most {rows.bit_length() - 1}."
            )
        text = RECIPES[index].factory.format(**params, pairs=dim // 2 if dim % 2 == 0 else dim)
        made = faiss.index_factory(dim, text, faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT)
        _prepare(faiss, made, params)
        try:
            made.train(vectors)
            made.add(vectors)
        except RuntimeError as error:
            raise UserError(f"FAISS refused to build {index} ({_reason(error)}): change its parameters.") from error
        return made

    def _ask(self, held: MemoryCollection, queries: Floats, k: int, params: Checked) -> tuple[Rows, Floats]:
        import faiss

        try:
            scores, rows = held.built.search(queries, k, params=_parameters(faiss, params, k))
        except RuntimeError as error:
            raise UserError(f"FAISS refused to search {held.index} ({_reason(error)}): build it again.") from error
        return rows, scores


def _prepare(faiss: Any, made: Any, params: Checked) -> None:
    """Set what the factory's string cannot say; FAISS's advice on few training rows would go to stderr."""
    base = faiss.downcast_index(made.base_index) if isinstance(made, faiss.IndexRefine) else made
    for part in (base, getattr(base, "pq", base)):
        if hasattr(part, "cp"):
            part.cp.min_points_per_centroid = 1
    if "efConstruction" in params:
        base.hnsw.efConstruction = params["efConstruction"]


def _parameters(faiss: Any, params: Checked, k: int) -> Any:
    """Put search parameters into the object that FAISS takes for one search."""
    if "ef" in params:
        return faiss.SearchParametersHNSW(efSearch=params["ef"])
    if "nprobe" not in params:
        return None
    clusters = faiss.SearchParametersIVF(nprobe=params["nprobe"])
    if "reorder_k" not in params:
        return clusters
    factor = (params["reorder_k"] + 0.5) / k  # FAISS multiplies by k again and rounds down
    return faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=clusters)


def _reason(error: RuntimeError) -> str:
    return str(error).splitlines()[0].rsplit("Error: ", 1)[-1][:200]


FAISS = Library(
    "faiss",
    "FAISS",
    "cpu",
    types=tuple(RECIPES),
    needs=(("faiss",),),
    install="-r requirements.txt --no-deps",
    factory=FaissEngine,
)
