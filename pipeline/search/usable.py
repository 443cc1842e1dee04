"""Which vectors can be compared at all: the one check of what is imported, indexed, added later, or measured with."""

from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Rows
from pipeline.core.errors import UserError

_NAMED = 5


def usable_vectors(what: str, vectors: Any, metric: str, ids: Any = None, rows: Rows | None = None) -> Floats:
    """Give vectors (n, dim) as float32; UserError where one is not finite, or all zeros and `metric` is COSINE.

    The error begins with `what`, and names the first of them by `ids` (n), else by their `rows` (n) counted from 1.
    """
    numbers = np.arange(len(vectors)) if rows is None else rows

    def named(places: Any) -> str:
        first = [f"row {numbers[place] + 1:,}" if ids is None else f"'{ids[int(place)]}'" for place in places[:_NAMED]]
        return ", ".join([*first, *["…"] * (len(places) > _NAMED)])

    with np.errstate(over="ignore"):  # what is too great for float32 becomes inf, and is named below
        floats = np.ascontiguousarray(vectors, np.float32)
    if (bad := np.flatnonzero(~np.isfinite(floats).all(1))).size:
        value = vectors[bad[0]][~np.isfinite(floats[bad[0]])][0]
        raise UserError(
            f"{what}: {named(bad[:1])} holds {value}, which is no finite float32 ({bad.size:,} such "
            f"row{'s' * (bad.size != 1)}): mend or leave out {named(bad)}."
        )
    if metric == "COSINE" and (zero := np.flatnonzero(~floats.any(1))).size:
        are, them = ("is", "it") if zero.size == 1 else ("are", "them")
        raise UserError(
            f"{what}: {zero.size:,} of {len(floats):,} vectors {are} all zeros ({named(zero)}), with no direction to "
            f"compare by COSINE: leave {them} out, or compare by L2 or IP."
        )
    return floats
