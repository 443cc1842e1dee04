"""A search's answer as arrays at once: pymilvus makes an object of every hit, which can outlast the search."""

from typing import Any

import numpy as np
from pymilvus.client.prepare import Prepare
from pymilvus.client.utils import check_status
from pymilvus.decorators import retry_on_rpc_failure

from pipeline.core.arrays import Floats, Numbers
from pipeline.search.engine import Found, no_keys
from pipeline.search.params import Values

EVENTUALLY = (
    3  # pymilvus.client.constants.ConsistencyLevel: collections are flushed and loaded before they are searched
)


def message(
    collection: str, queries: Floats, field: str, top_k: int, params: Values, filter: str = "", metric: str = ""
) -> Any:
    """Make the request that pymilvus would send for (q, dim) float32 queries."""
    param: dict[str, Any] = {"params": dict(params)} | ({"metric_type": metric} if metric else {})
    return Prepare.search_requests_with_expr(
        collection, list(queries), field, param, top_k, filter or None, consistency_level=EVENTUALLY
    )


@retry_on_rpc_failure()
def send(stub: Any, request: Any, timeout: int) -> Any:
    """Ask until the server answers, as pymilvus does; a whole number of seconds, as it takes any other for no limit."""
    answer = stub.Search(request, timeout=timeout)
    check_status(answer.status)
    return answer.results


def read(results: Any, queries: int, top_k: int) -> Found:
    """Read what a server found for some queries."""
    scores = np.zeros((queries, top_k), np.float32)
    flat, counts = np.array(results.scores, np.float32), counted(results, queries)
    for row, (low, count) in enumerate(zip(np.cumsum([0, *counts[:-1]]), counts, strict=True)):
        scores[row, :count] = flat[low : low + count]
    return Found(read_ids(results, queries, top_k), scores)


def read_ids(results: Any, queries: int, top_k: int) -> Numbers:
    """Read ids to (queries, top_k), int64 or text, -1 or None where there are fewer."""
    text = results.ids.WhichOneof("id_field") == "str_id"
    flat = np.array(results.ids.str_id.data, object) if text else np.array(results.ids.int_id.data, np.int64)
    counts = counted(results, queries)
    if counts == [top_k] * queries:
        return flat.reshape(queries, top_k)
    ids = no_keys((queries, top_k), text)
    for row, (low, count) in enumerate(zip(np.cumsum([0, *counts[:-1]]), counts, strict=True)):
        ids[row, :count] = flat[low : low + count]
    return ids


def counted(results: Any, queries: int) -> list[int]:
    """Give how many hits each query has."""
    return list(results.topks) or [results.top_k] * queries
