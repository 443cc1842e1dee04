"""Search requests as bytes that are ready to be sent, and answers that were kept as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Numbers, Rows
from pipeline.core.columns import VECTOR
from pipeline.core.errors import UserError
from pipeline.search.engine import no_keys
from pipeline.search.milvus.refusals import Meaning, of_answer
from pipeline.search.params import Values


@dataclass(frozen=True)
class Search:
    """What is asked of a collection at one point."""

    collection: str
    metric: str
    params: Values
    top_k: int
    field: str = VECTOR


def split_requests(queries: Floats, nq: int) -> list[Floats]:
    """Cut (q, dim) queries into requests of `nq` each; the last one ends with the first queries where that is short."""
    if nq > len(queries):
        raise UserError(f"nq {nq:,} is over the {len(queries):,} queries: choose at most {len(queries):,}.")
    return [queries[asked_by(n, nq, len(queries))] for n in range(-(-len(queries) // nq))]


def asked_by(request: int, nq: int, queries: int) -> Rows:
    """Give the rows (nq) of the queries that a request of `split_requests` asks."""
    return np.arange(request * nq, (request + 1) * nq) % queries


def serialised(search: Search, parts: Sequence[Floats]) -> list[bytes]:
    """Make a search request of each (nq, dim) part, as pymilvus would send it."""
    from pipeline.search.milvus.searching import message

    return [
        message(
            search.collection, part, search.field, search.top_k, search.params, metric=search.metric
        ).SerializeToString()
        for part in parts
    ]


def found(answer: Any, nq: int, top_k: int) -> Numbers:
    """Read an answer – bytes, or lists of ids – to ids (nq, top_k), int64 or text, -1 or None where there are fewer."""
    if not isinstance(answer, bytes):
        ids = no_keys((nq, top_k), text=any(isinstance(key, str) for hits in answer for key in hits[:1]))
        for row, hits in enumerate(answer):
            ids[row, : len(hits)] = hits
        return ids
    from pipeline.search.milvus.searching import read_ids

    return read_ids(_parsed(answer).results, nq, top_k)


def refusal(answer: Any) -> tuple[Meaning, str] | None:
    """Give what the server means in place of an answer, with its text, or None where it is one."""
    return of_answer(_parsed(answer).status) if isinstance(answer, bytes) else None


def _parsed(answer: bytes) -> Any:
    from pymilvus.grpc_gen.milvus_pb2 import SearchResults

    return SearchResults.FromString(answer)
