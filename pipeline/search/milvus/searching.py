"""A search's answer as arrays at once: pymilvus makes an object of every hit, which can outlast the search."""

from typing import Any

import numpy as np
from pymilvus.client.prepare import Prepare
from pymilvus.client.utils import check_status
from pymilvus.decorators import retry_on_rpc_failure

from pipeline.core.arrays import Flags, Floats, Numbers
from pipeline.search.engine import Found, no_keys
from pipeline.search.params import Values

# pymilvus.client.constants.ConsistencyLevel: collections are flushed and loaded before they are searched
EVENTUALLY = 3


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
    scores[_places(results, queries, top_k)] = np.array(results.scores, np.float32)
    return Found(read_ids(results, queries, top_k), scores)


def read_ids(results: Any, queries: int, top_k: int) -> Numbers:
    """Read ids to (queries, top_k), int64 or text, -1 or None where there are fewer."""
    text = results.ids.WhichOneof("id_field") == "str_id"
    ids = no_keys((queries, top_k), text)
    ids[_places(results, queries, top_k)] = results.ids.str_id.data if text else results.ids.int_id.data
    return ids


def _places(results: Any, queries: int, top_k: int) -> Flags:
    """Tell which of (queries, top_k) places are filled: each query's hits come one after the other."""
    counts = np.array(list(results.topks) or [results.top_k] * queries)
    return np.arange(top_k) < counts[:, None]
