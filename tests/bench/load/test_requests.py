"""Queries are cut into requests, all of which go out: the last one is filled up from the beginning."""

import numpy as np
import pytest

from pipeline.bench.load.requests import asked_by, split_requests
from pipeline.core.errors import UserError


@pytest.mark.parametrize(
    ("queries", "nq", "requests"), [(2500, 1000, 3), (2000, 1000, 2), (7, 7, 1), (7, 1, 7), (7, 5, 2)]
)
def test_every_query_is_asked_and_every_request_is_full(queries: int, nq: int, requests: int) -> None:
    vectors = np.arange(queries, dtype=np.float32)[:, None]
    parts = split_requests(vectors, nq)
    assert [len(part) for part in parts] == [nq] * requests
    rows = [asked_by(n, nq, queries) for n in range(requests)]
    assert set(np.concatenate(rows)) == set(range(queries))
    assert all((part[:, 0] == row).all() for part, row in zip(parts, rows, strict=True))


def test_more_queries_than_there_are_cannot_be_asked_at_once() -> None:
    with pytest.raises(UserError, match="nq 8 is over the 7 queries"):
        split_requests(np.ones((7, 2), np.float32), 8)
