"""What an index takes, as formulas: bytes of memory a vector, and seconds to build on two cores.

Build times are rough fits to builds of up to 49,000 x 64 vectors on 2 cores, and are corrected by what builds of the
type took here (`pipeline/jobs/past.py`); memory is the size of what is stored.
"""

import math

from pipeline.search.params import Values

SCALAR_BYTES = {"SQ6": 0.75, "SQ8": 1.0, "BF16": 2.0, "FP16": 2.0, "FP32": 4.0}
_SEGMENT_BYTES = 512 << 20  # of vectors and what stands beside them: each such part has an index of its own
_ROW_BYTES = 192  # of a row beside its vector, about


def raw(dim: int, values: Values) -> float:
    """Give the bytes of a vector as it is."""
    return 4.0 * dim


def links(values: Values) -> float:
    """Give the bytes of a vector's links in a graph."""
    return 8.0 * int(values["M"]) + 8  # 2 M links of 4 bytes on the ground level, and some above


def codes(values: Values) -> float:
    """Give the bytes of a vector's codes."""
    return int(values["m"]) * int(values["nbits"]) / 8 + 8


def refined(dim: int, values: Values) -> float:
    """Give the bytes of the finer vector beside a coarse one."""
    return dim * SCALAR_BYTES[str(values.get("refine_type", "SQ8"))] if values.get("refine") else 0.0


def kmeans(rows: int, dim: int, values: Values) -> float:
    """Train ten passes over at most 256 vectors a cluster of each segment, then look every vector's cluster up."""
    nlist = int(values["nlist"])
    segment = min(rows, _SEGMENT_BYTES // (4 * dim + _ROW_BYTES))
    passes = (10 * min(segment, 256 * nlist) + segment) / segment
    return 0.5 + 7e-10 * dim * nlist * rows * passes / 11


def quantized(rows: int, dim: int, values: Values) -> float:
    """Give the seconds to train clusters and codes."""
    centres = 2 ** int(values["nbits"])
    return kmeans(rows, dim, values) + 7e-10 * 40 * dim * centres * min(rows, 256 * centres)


def graph(rows: int, dim: int, values: Values) -> float:
    """Give the seconds to link a graph."""
    return 0.5 + 2.2e-8 * rows * int(values["efConstruction"]) * math.sqrt(int(values["M"]) * dim / 1024) * 45


def on_gpu(rows: int, dim: int, values: Values) -> float:
    """Give the seconds on a GPU."""
    return 1.0 + 2e-8 * rows * dim
