"""Measure an engine on vectors of one's own: time to build, recall, and time of one query."""

import time
import uuid
from typing import Any

import numpy as np

from pipeline.core.arrays import Flags, Floats, Rows
from pipeline.core.errors import UserError
from pipeline.core.spread import median_in_order
from pipeline.search.engine import Engine
from pipeline.search.exact.blocked import nearest, numpy_arrays
from pipeline.search.exact.distance import pairs, tolerance
from pipeline.search.params import IndexType, Values, validate_search
from pipeline.search.usable import usable

_WARM_UP = 20  # searches that are not timed
TIMED = 50  # queries, of those that recall is measured with


def measure(
    engine: Engine,
    ids: Rows,
    vectors: Floats,
    queries: Floats,
    index: str,
    params: Values,
    search: Values,
    metric: str,
    k: int,
) -> dict[str, Any]:
    """Measure any engine, Milvus's too: insert_s, build_s, recall@k, and p50_ms and p95_ms of one query at a time.

    Times are of a monotonic clock, the first searches left out; recall is over the very answers that were timed.
    """
    if not len(queries):
        raise UserError("There are no queries to measure with: give at least one.")
    usable("The vectors", vectors, metric)
    usable("The queries", queries, metric)
    name = f"bench_{uuid.uuid4().hex[:12]}"
    started = time.monotonic()
    engine.create(name, vectors.shape[1], metric)
    try:
        engine.insert(name, ids, vectors, {})
        insert_s = time.monotonic() - started
        built = engine.build(name, index, params, metric)
        engine.load(name)
        found, seconds = timed(engine, name, queries, k, search)
        kept = engine.describe(name)["params"]
    finally:
        engine.drop(name)
    return {
        "index": index,
        "metric": metric,
        "build": {key: int(value) for key, value in kept.items()},
        "search": search,
        "rows": len(vectors),
        "dim": vectors.shape[1],
        "queries": len(queries),
        "k": k,
        "insert_s": round(insert_s, 4),
        "build_s": round(built.seconds, 4),
        "recall": round(recall(ids, vectors, queries, found, metric), 4),
        "p50_ms": round(float(np.percentile(seconds, 50)) * 1e3, 4),
        "p95_ms": round(float(np.percentile(seconds, 95)) * 1e3, 4),
    }


def quality(
    engine: Engine,
    name: str,
    ids: Rows,
    vectors: Floats,
    queries: Floats,
    index: IndexType,
    build: Values,
    metric: str,
) -> dict[str, Any]:
    """Measure a loaded collection with its default search: recall@10 and @100 against exact, p50_ms of one query.

    p50_ms_low and p50_ms_high are its 95 % interval.
    """
    found: dict[str, Any] = {}
    for k in (10, 100):
        answers = engine.search(name, queries, k, validate_search(index, build, {}, k)).ids
        found[f"recall@{k}"] = round(recall(ids, vectors, queries, answers, metric), 4)
    _, seconds = timed(engine, name, queries[:TIMED], 10, validate_search(index, build, {}, 10))
    p50 = median_in_order(seconds)
    ends = {"p50_ms": p50.value, "p50_ms_low": p50.low, "p50_ms_high": p50.high}
    return found | {name: round(value * 1e3, 3) for name, value in ends.items()} | {"queries": len(queries)}


def timed(engine: Engine, name: str, queries: Floats, k: int, search: Values) -> tuple[Rows, list[float]]:
    """Ask one query at a time; give ids (q, k) and the seconds of each."""
    for row in range(_WARM_UP):
        engine.search(name, queries[row % len(queries)][None], k, search)
    answers, seconds = [], []
    for query in queries:
        started = time.monotonic()
        found = engine.search(name, query[None], k, search)
        seconds.append(time.monotonic() - started)
        answers.append(found.ids)
    return np.concatenate(answers), seconds


def exact(vectors: Floats, queries: Floats, k: int, metric: str) -> Rows:
    """Give the rows (q, k) of each query's exact nearest, best first; fewer where there are fewer vectors."""
    return nearest(numpy_arrays(), vectors, queries, min(k, len(vectors)), metric)[0]


def recall(ids: Rows, vectors: Floats, queries: Floats, found: Rows, metric: str) -> float:
    """Give the share of the exact neighbours' places that `found` (q, k) ids fill with vectors as near."""
    best = exact(vectors, queries, found.shape[1], metric)
    order = np.argsort(ids)
    rows = order[np.minimum(np.searchsorted(ids, found, sorter=order), len(ids) - 1)]
    return float(np.mean(shares(vectors, queries, np.where(found >= 0, rows, -1), best, metric)))


def shares(vectors: Floats, queries: Floats, found: Rows, best: Rows, metric: str) -> Floats:
    """Give for each query (q) the share of its exact neighbours' places that the `found` (q, k) rows fill.

    `best` (q, k) are rows as `exact` gives them. A row that is as near as the last of them – by `distance.tolerance` –
    is right, too, whichever of equals an index gives; one that is given twice counts once, and -1 is none.
    """
    last = best[:, -1]
    near = pairs(vectors, queries, last[:, None], metric)[:, 0] + tolerance(vectors, queries, last, metric)
    right = pairs(vectors, queries, found, metric) <= near[:, None]
    return np.asarray((right & (found >= 0) & ~_again(found)).sum(1) / best.shape[1], np.float32)


def _again(found: Rows) -> Flags:
    """Tell of each row of an answer (q, k) whether it stands before in the same one."""
    order = np.argsort(found, axis=1, kind="stable")
    rising = np.take_along_axis(found, order, axis=1)
    again = np.zeros(found.shape, bool)
    np.put_along_axis(again, order[:, 1:], rising[:, 1:] == rising[:, :-1], axis=1)
    return again


def distances(vectors: Floats, queries: Floats, rows: Rows, metric: str) -> Floats:
    """Give the distance of each query to its rows (q, k): Euclidean for L2, 1 - cosine for COSINE, as peers have it."""
    far = pairs(vectors, queries, rows, metric)
    return np.asarray(np.sqrt(far) if metric == "L2" else far, np.float32)
