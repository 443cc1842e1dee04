"""The index catalogue as data: forms, validation, estimates, help and docs come from it; a new type is one entry."""

import math

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.search.formulas import SCALAR_BYTES, codes, graph, kmeans, links, on_gpu, quantized, raw, refined
from pipeline.search.params import Context, IndexType, Param

MIN_INDEXED_ROWS = 1024  # Milvus 2.3 builds no index on a smaller segment and compares with every row
_MANUAL = "https://milvus.io/docs/{}"
_PRECISIONS = tuple(SCALAR_BYTES)
_GPU_METRICS = ("L2", "IP")


def _lists(context: Context) -> int:
    """Take 4 √rows, as Faiss and Milvus advise, but no more than two cores train in a minute or two a segment."""
    return min(1024, round(4 * math.sqrt(float(context["rows"])))) if "rows" in context else 128


def _sixteenth_of_lists(context: Context) -> int:
    return max(16, int(context["nlist"]) // 16) if "nlist" in context else 16


def _half_of_dim(context: Context) -> int:
    return max(1, int(context["dim"]) // 2) if "dim" in context else 8


def _bits(context: Context) -> int:
    """Code a piece in at most as many values as there are vectors to learn them from."""
    return min(8, int(context["rows"]).bit_length() - 1) if "rows" in context else 8


_NLIST = Param(
    "nlist", 128, 1, 65_536, "Number of clusters.", "More: faster search, but lower recall at the same nprobe.",
    at_most=("rows",), auto=_lists,
)  # fmt: skip
_NPROBE = Param(
    "nprobe", 16, 1, 65_536, "Clusters searched, at most nlist.", "More: higher recall, fewer QPS.",
    at_most=("nlist",), auto=_sixteenth_of_lists,
)  # fmt: skip
_M = Param("M", 16, 2, 2_048, "Links per vector.", "More: higher recall, more memory, slower build.")
_EF_CONSTRUCTION = Param(
    "efConstruction", 200, 8, 32_768, "Candidates kept while building.", "More: a better graph, a slower build."
)
_EF = Param(
    "ef", 100, 1, 32_768, "Candidates kept while searching, at least top_k.", "More: higher recall, fewer QPS.",
    at_least=("top_k",),
)  # fmt: skip
_PQ_M = Param(
    "m", 8, 1, 65_536, "Pieces that a vector is cut into; must divide the dimensions.",
    "More: higher recall, more memory.", at_most=("dim",), divides="dim", auto=_half_of_dim,
)  # fmt: skip
_NBITS = Param(
    "nbits", 8, 1, 16, "Bits per piece.",
    "More: higher recall; 12 takes minutes to build where 8 takes seconds.", auto=_bits,
)  # fmt: skip
_REFINE = Param(
    "refine", False, 0, 1, "Keep finer vectors to re-rank the best candidates.", "Higher recall, more memory.",
    kind="bool",
)  # fmt: skip
_REFINE_TYPE = Param(
    "refine_type", "SQ8", 0, 0, "Precision of the finer vectors.", "Finer: higher recall, more memory.",
    kind="choice", choices=_PRECISIONS, optional=True,
)  # fmt: skip
_REFINE_K = Param(
    "refine_k", 1.0, 1, 1000, "Candidates to re-rank, as a multiple of top_k; used when refine is on.",
    "More: higher recall, fewer QPS.", kind="float", optional=True,
)  # fmt: skip


CATALOGUE: dict[str, IndexType] = {
    entry.name: entry
    for entry in (
        IndexType(
            "FLAT", "cpu", "flat",
            "Compares the query with every vector: exact, but slow over many vectors.",
            "Use it when answers must be exact, or for fewer than about 50,000 vectors.",
            _MANUAL.format("flat.md"), raw, lambda rows, dim, values: 0.5,
        ),
        IndexType(
            "IVF_FLAT", "cpu", "ivf",
            "Groups the vectors into nlist clusters and searches the nprobe nearest clusters.",
            "Use it when the index must build quickly and a recall of about 0.98 is enough.",
            _MANUAL.format("ivf-flat.md"), lambda dim, values: 4.0 * dim + 8, kmeans, (_NLIST,), (_NPROBE,),
        ),
        IndexType(
            "IVF_SQ8", "cpu", "ivf",
            "Like IVF_FLAT, but stores each number in one byte instead of four.",
            "Use it when memory is limited: it takes about a quarter of IVF_FLAT's, for a little recall.",
            _MANUAL.format("ivf-sq8.md"), lambda dim, values: dim + 8.0, kmeans, (_NLIST,), (_NPROBE,),
        ),
        IndexType(
            "IVF_PQ", "cpu", "ivf",
            "Like IVF_FLAT, but cuts each vector into m pieces and stores nbits bits per piece.",
            "Use it when memory is very tight: it takes about a sixth of IVF_FLAT's, and recall drops visibly.",
            _MANUAL.format("ivf-pq.md"), lambda dim, values: codes(values), quantized,
            (_NLIST, _PQ_M, _NBITS), (_NPROBE,),
        ),
        IndexType(
            "HNSW", "cpu", "graph",
            "Walks a layered graph of near neighbours, from the coarse layers to the finest.",
            "Use it when you want high recall and many QPS, and have the memory for the graph.",
            _MANUAL.format("hnsw.md"), lambda dim, values: 4.0 * dim + links(values), graph,
            (_M, _EF_CONSTRUCTION), (_EF,),
        ),
        IndexType(
            "SCANN", "cpu", "ivf",
            "Clusters of compressed vectors, compared many at once; the best are re-ranked by their full vectors.",
            "Use it when you want many QPS at a recall of about 0.95, and a quick build.",
            _MANUAL.format("scann.md"),
            lambda dim, values: dim / 4 + 8 + (4.0 * dim if values["with_raw_data"] else 0.0),
            lambda rows, dim, values: kmeans(rows, dim, values) + 1e-7 * rows * dim / 8,
            (
                _NLIST,
                Param("with_raw_data", True, 0, 1, "Keep the full vectors to re-rank the best candidates.",
                      "Without: less memory, lower recall.", kind="bool"),
            ),
            (
                _NPROBE,
                Param("reorder_k", 200, 1, 65_536, "Candidates re-ranked by their full vectors, at least top_k.",
                      "More: higher recall, fewer QPS.", at_least=("top_k",)),
            ),
            since=(2, 3),
        ),
        IndexType(
            "DISKANN", "cpu", "graph",
            "Walks a graph on disk, with compressed vectors in memory.",
            "Use it when the vectors do not fit in memory and the server has a fast local disk (NVMe).",
            _MANUAL.format("diskann.md"), lambda dim, values: dim / 4.0, lambda rows, dim, values: 5 + 1e-3 * rows,
            (),
            (Param("search_list", 100, 1, 65_535, "Candidates kept while searching, at least top_k.",
                   "More: higher recall, fewer QPS.", at_least=("top_k",)),),
            since=(2, 2),
            not_embedded="its disk index does not finish building in the embedded server",
        ),
        IndexType(
            "AUTOINDEX", "cpu", "auto",
            "Lets the server choose: HNSW on a Milvus of your own, another index on a managed one.",
            "Use it when you do not want to choose, or the managed service allows nothing else.",
            _MANUAL.format("autoindex.md"), lambda dim, values: 4.0 * dim + 144,
            lambda rows, dim, values: graph(rows, dim, {"M": 18, "efConstruction": 240}),
            since=(2, 2),
        ),
        IndexType(
            "HNSW_SQ", "cpu", "graph",
            "Like HNSW, but stores each number of a vector in two bytes or fewer.",
            "Use it when HNSW takes too much memory and you can give up a little recall.",
            _MANUAL.format("hnsw-sq.md"),
            lambda dim, values: dim * SCALAR_BYTES[str(values["sq_type"])] + links(values) + refined(dim, values),
            graph,
            (
                _M, _EF_CONSTRUCTION,
                Param("sq_type", "SQ8", 0, 0, "Precision of the vectors in the graph.",
                      "Finer: higher recall, more memory.", kind="choice", choices=_PRECISIONS[:4]),
                _REFINE, _REFINE_TYPE,
            ),
            (_EF, _REFINE_K),
            since=(2, 5),
        ),
        IndexType(
            "HNSW_PQ", "cpu", "graph",
            "Like HNSW, but stores compressed pieces instead of the vectors.",
            "Use it when memory is very tight and IVF_PQ's recall is too low.",
            _MANUAL.format("hnsw-pq.md"),
            lambda dim, values: codes(values) + links(values) + refined(dim, values), graph,
            (_M, _EF_CONSTRUCTION, _PQ_M, _NBITS, _REFINE, _REFINE_TYPE), (_EF, _REFINE_K),
            since=(2, 5),
        ),
        IndexType(
            "HNSW_PRQ", "cpu", "graph",
            "Like HNSW_PQ, but stores nrq codes, each for the error that the one before it left.",
            "Use it when HNSW_PQ's recall is too low and the build may take longer.",
            _MANUAL.format("hnsw-prq.md"),
            lambda dim, values: codes(values) * int(values["nrq"]) + links(values) + refined(dim, values), graph,
            (
                _M, _EF_CONSTRUCTION, _PQ_M, _NBITS,
                Param("nrq", 2, 1, 16, "Codes per piece, each for the error that the one before it left.",
                      "More: higher recall, slower build."),
                _REFINE, _REFINE_TYPE,
            ),
            (_EF, _REFINE_K),
            since=(2, 5),
        ),
        IndexType(
            "IVF_RABITQ", "cpu", "ivf",
            "Like IVF_FLAT, but stores one bit for each number of a vector.",
            "Use it when memory is very tight; with refine, recall is close to IVF_SQ8's.",
            _MANUAL.format("ivf-rabitq.md"), lambda dim, values: dim / 8 + 16 + refined(dim, values), kmeans,
            (_NLIST, _REFINE, _REFINE_TYPE),
            (
                _NPROBE,
                Param("rbq_query_bits", 0, 0, 8, "Bits for each number of the query; 0: it is not compressed.",
                      "Fewer, but not 0: faster, lower recall."),
                _REFINE_K,
            ),
            since=(2, 6),
        ),
        IndexType(
            "GPU_BRUTE_FORCE", "gpu", "flat",
            "Compares the query with every vector on the GPU: exact.",
            "Use it when answers must be exact and requests carry many queries.",
            _MANUAL.format("gpu-brute-force.md"), raw, lambda rows, dim, values: 0.5,
            metrics=_GPU_METRICS, since=(2, 4), most_top_k=2_048,
        ),
        IndexType(
            "GPU_IVF_FLAT", "gpu", "ivf",
            "IVF_FLAT on the GPU.",
            "Use it when requests carry many queries and the vectors fit in the GPU's memory.",
            _MANUAL.format("gpu-ivf-flat.md"), lambda dim, values: 4.0 * dim + 8, on_gpu, (_NLIST,), (_NPROBE,),
            metrics=_GPU_METRICS, since=(2, 3), most_top_k=2_048,
        ),
        IndexType(
            "GPU_IVF_PQ", "gpu", "ivf",
            "IVF_PQ on the GPU.",
            "Use it when the full vectors do not fit in the GPU's memory.",
            _MANUAL.format("gpu-ivf-pq.md"), lambda dim, values: codes(values), on_gpu,
            (_NLIST, _PQ_M, Param("nbits", 8, 4, 8, _NBITS.meaning, "More: higher recall, more memory.")), (_NPROBE,),
            metrics=_GPU_METRICS, since=(2, 3), most_top_k=1_024,
        ),
        IndexType(
            "GPU_CAGRA", "gpu", "graph",
            "Builds and walks a graph on the GPU.",
            "Use it when you have a GPU and want the most QPS at high recall.",
            _MANUAL.format("gpu-cagra.md"),
            lambda dim, values: 4.0 * dim + 4.0 * int(values["graph_degree"]), on_gpu,
            (
                Param("intermediate_graph_degree", 128, 1, 1_024, "Links per vector before pruning.",
                      "More: higher recall, slower build."),
                Param("graph_degree", 64, 1, 1_024, "Links per vector after pruning.",
                      "More: higher recall, more memory, fewer QPS.", at_most=("intermediate_graph_degree",)),
                Param("build_algo", "IVF_PQ", 0, 0, "How the initial graph is built.",
                      "NN_DESCENT: quicker to build, perhaps lower recall.", kind="choice",
                      choices=("IVF_PQ", "NN_DESCENT")),
                Param("cache_dataset_on_device", False, 0, 1, "Keep the full vectors on the GPU.",
                      "Higher recall, more of the GPU's memory.", kind="bool"),
            ),
            (
                Param("itopk_size", 128, 1, 1_024, "Candidates kept while searching, at least top_k.",
                      "More: higher recall, fewer QPS.", at_least=("top_k",)),
                Param("search_width", 4, 1, 64, "Entry points into the graph.", "More: higher recall, fewer QPS."),
                Param("min_iterations", 0, 0, 10_000, "Minimum number of steps; 0: chosen by the server.",
                      "More: higher recall, fewer QPS.", optional=True),
                Param("max_iterations", 0, 0, 10_000, "Maximum number of steps; 0: chosen by the server.",
                      "Fewer: more QPS, lower recall.", optional=True),
                Param("team_size", 0, 0, 32, "GPU threads per distance: 0, 2, 4, 8, 16 or 32.",
                      "Little effect on recall or QPS.", optional=True),
            ),
            metrics=_GPU_METRICS, since=(2, 4), most_top_k=1_024,
        ),
    )
}  # fmt: skip


def index_type(name: str) -> IndexType:
    """Find an index type by its name, or raise UserError."""
    found = CATALOGUE.get(name.upper())
    if found is None:
        close = did_you_mean(name.upper(), CATALOGUE, most=1)
        raise UserError(f"There is no index type '{name}': choose {', '.join(CATALOGUE)}.{close}")
    return found
