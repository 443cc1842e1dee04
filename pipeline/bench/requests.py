"""Search requests as bytes that are ready to be sent, and answers that were kept as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.names import VECTOR
from pipeline.vectors.memory import Floats, Rows
from pipeline.vectors.params import Values

_EVENTUALLY = 3  # pymilvus.client.constants.ConsistencyLevel: the collection is flushed and loaded


@dataclass(frozen=True)
class Search:
    """What is asked of a collection at one point."""

    collection: str
    metric: str
    params: Values
    top_k: int
    field: str = VECTOR


def split(queries: Floats, nq: int) -> list[Floats]:
    """Cut (q, dim) queries into requests of `nq` each; the last one ends with the first queries where that is short."""
    if nq > len(queries):
        raise UserError(f"nq {nq:,} is over the {len(queries):,} queries: choose at most {len(queries):,}.")
    return [queries.take(asked_by(n, nq, len(queries)), axis=0) for n in range(-(-len(queries) // nq))]


def asked_by(request: int, nq: int, queries: int) -> Rows:
    """Give the rows (nq) of the queries that a request of `split` asks."""
    return np.arange(request * nq, (request + 1) * nq) % queries


def serialised(search: Search, parts: Sequence[Floats]) -> list[bytes]:
    """Make a search request of each (nq, dim) part, as pymilvus would send it."""
    from pymilvus.client.prepare import Prepare

    param = {"metric_type": search.metric, "params": dict(search.params)}
    return [
        Prepare.search_requests_with_expr(
            search.collection, list(part), search.field, param, search.top_k, consistency_level=_EVENTUALLY
        ).SerializeToString()
        for part in parts
    ]


def found(answer: Any, nq: int, top_k: int) -> Rows:
    """Read an answer – bytes, or lists of ids – to ids (nq, top_k), -1 where there are fewer."""
    ids = np.full((nq, top_k), -1, np.int64)
    if not isinstance(answer, bytes):
        for row, hits in enumerate(answer):
            ids[row, : len(hits)] = hits
        return ids
    results = _parsed(answer).results
    flat, counts = np.array(results.ids.int_id.data, np.int64), list(results.topks) or [results.top_k] * nq
    if counts == [top_k] * nq:
        return flat.reshape(nq, top_k)
    for row, (low, count) in enumerate(zip(np.cumsum([0, *counts[:-1]]), counts, strict=True)):
        ids[row, :count] = flat[low : low + count]
    return ids


def refusal(answer: Any) -> str | None:
    """Give what the server says in place of an answer, or None where it is one."""
    if not isinstance(answer, bytes):
        return None
    status = _parsed(answer).status
    return str(status.reason or status.detail or status.error_code) if status.code or status.error_code else None


def _parsed(answer: bytes) -> Any:
    from pymilvus.grpc_gen.milvus_pb2 import SearchResults

    return SearchResults.FromString(answer)
