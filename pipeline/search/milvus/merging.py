"""Merge the parts that an insert left, before an index is built of each.

Milvus merges small segments by itself, minutes later, and builds their indexes again: it does the work twice, and what
is searched or measured meanwhile is slow. It merges only what has an index, so that they have a flat one for a moment,
which costs nothing.
"""

import time
from typing import Any

from pymilvus import Collection
from pymilvus.client.types import State
from pymilvus.exceptions import MilvusException

from pipeline.core.columns import VECTOR
from pipeline.core.progress import Progress
from pipeline.search.milvus.connection import TIMEOUT_S

_SMALL_BYTES = 256 << 20  # of vectors: half of dataCoord.segment.maxSize, as dataCoord.segment.smallProportion says
_LIMIT_S = 600
_PAUSE_S = 0.2


def merge(collection: Collection, dim: int, metric: str, progress: Progress) -> None:
    """Merge the flushed segments of a collection without an index, where Milvus would do so later.

    A server that refuses is left alone: the index is right without it.
    """
    try:
        if not collection.indexes and _has_small(collection, dim):
            _merge(collection, metric, progress)
    except MilvusException:
        progress(0, 1, "the server merges its segments later by itself")


def _has_small(collection: Collection, dim: int) -> bool:
    segments: list[Any] = collection._get_connection().get_persistent_segment_infos(collection.name, timeout=TIMEOUT_S)
    sizes = [4 * dim * segment.num_rows for segment in segments]
    return len(sizes) > 1 and min(sizes) < _SMALL_BYTES


def _merge(collection: Collection, metric: str, progress: Progress) -> None:
    flat = {"index_type": "FLAT", "metric_type": metric, "params": {}}
    collection.create_index(VECTOR, flat, timeout=TIMEOUT_S)
    try:
        collection.compact(timeout=TIMEOUT_S)
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:
            plans = collection.get_compaction_state(timeout=TIMEOUT_S)
            if plans.state == State.Completed:
                break
            progress(plans.completed, max(plans.completed + plans.in_executing, 1), "merging the server's segments")
            time.sleep(_PAUSE_S)
    finally:
        collection.drop_index(timeout=TIMEOUT_S)
