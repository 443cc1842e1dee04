"""The parameters that libraries share with Milvus by name: ranges, defaults, and what holds between them."""

import math

from pipeline.errors import UserError
from pipeline.text import did_you_mean
from pipeline.vectors.catalogue import Values

RANGES: dict[str, tuple[int, int]] = {
    "nlist": (1, 65_536),
    "nprobe": (1, 65_536),
    "m": (1, 65_536),
    "nbits": (1, 16),
    "M": (2, 2_048),
    "efConstruction": (8, 32_768),
    "ef": (1, 32_768),
    "reorder_k": (1, 1_000_000),
    "intermediate_graph_degree": (2, 1_024),
    "graph_degree": (2, 512),
    "itopk_size": (1, 1_024),
    "search_width": (1, 64),
}


def build_options(index: str, names: tuple[str, ...], given: Values, dim: int, rows: int) -> Values:
    """Fill in build parameters for (rows, dim) vectors and check them; raise UserError where one cannot hold."""
    defaults = {
        "nlist": max(1, min(round(4 * math.sqrt(rows)), 65_536, rows)),
        "m": max(d for d in range(1, max(2, dim // 4 + 1)) if dim % d == 0),
        "nbits": max(1, min(8, int(math.log2(max(rows, 2))))),
        "M": 16,
        "efConstruction": 200,
        "intermediate_graph_degree": 128,
        "graph_degree": 64,
    }
    values = _filled(index, names, given, defaults)
    if values.get("nlist", 1) > rows:
        raise UserError(f"nlist {values['nlist']} is over the {rows:,} vectors: choose at most {rows:,}.")
    if dim % values.get("m", 1):
        divisors = ", ".join(str(d) for d in range(1, dim + 1) if dim % d == 0)
        raise UserError(f"m {values['m']} does not divide the dimension {dim}: choose one of {divisors}.")
    if 2 ** values.get("nbits", 0) > rows:
        raise UserError(
            f"nbits {values['nbits']} makes {2 ** values['nbits']:,} codes of {rows:,} vectors: "
            f"choose at most {int(math.log2(rows))}."
        )
    if values.get("graph_degree", 0) > values.get("intermediate_graph_degree", 0):
        raise UserError(
            f"graph_degree {values['graph_degree']} is over intermediate_graph_degree "
            f"{values['intermediate_graph_degree']}, from which it is pruned: lower the one or raise the other."
        )
    return values


def search_options(index: str, names: tuple[str, ...], build: Values, given: Values, k: int) -> Values:
    """Fill in search parameters so that they hold for `k` neighbours, and check those that are given."""
    defaults = {
        "nprobe": min(16, build.get("nlist", 16)),
        "ef": max(100, k),
        "reorder_k": max(200, k),
        "itopk_size": max(64, k),
        "search_width": 1,
    }
    values = _filled(index, names, given, defaults)
    if values.get("nprobe", 1) > build.get("nlist", 65_536):
        raise UserError(f"nprobe {values['nprobe']} is over the index's nlist: choose at most {build['nlist']}.")
    for name in ("ef", "reorder_k", "itopk_size"):
        if values.get(name, k) < k:
            raise UserError(
                f"{name} {values[name]} is below top_k {k}: {index} keeps at least top_k candidates; raise {name}."
            )
    return values


def _filled(index: str, names: tuple[str, ...], given: Values, defaults: Values) -> Values:
    for name, value in given.items():
        if name not in names:
            takes = ", ".join(names) or "none"
            raise UserError(f"{index} has no parameter '{name}' here: it takes {takes}.{did_you_mean(name, names)}")
        low, high = RANGES[name]
        if not low <= value <= high:
            raise UserError(f"{name} {value} is out of range: choose {low} to {high:,}.")
    return {name: given.get(name, defaults[name]) for name in names}
