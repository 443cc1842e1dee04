"""Collections that others made, on a server that is connected: looked at, queried and compared, never changed."""

import time
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Ints, Numbers
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import did_you_mean
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.milvus.client import MilvusEngine
from pipeline.search.params import validate_search

MOST_QUERIES = 1000
_NO_KEYS = {-1, None}  # stand in an answer where there are fewer rows than asked for
_BATCH = 5000  # rows read at once: Milvus answers with 64 MB at most


def look(engine: MilvusEngine, name: str) -> dict[str, Any]:
    """Report a collection's fields, key, vector, dim, rows, index, metric, params, indexed_rows and loaded."""
    there = engine.collections()
    if name not in there:
        raise UserError(f"There is no collection '{name}' at {engine.endpoint.uri}.{did_you_mean(name, there)}")
    return {"name": name, **engine.schema(name), **engine.describe(name)}


def neighbours(engine: MilvusEngine, name: str, k: int, queries: int = 1) -> dict[str, Any]:
    """Search a collection for the nearest of some of its own vectors: {queries, answers, p50_ms}."""
    about = searchable(engine, name)
    keys, vectors = _stored(engine, about, queries)
    found, seconds = _asked(engine, about, vectors, k)
    answers = [[key for key in line if key not in _NO_KEYS] for line in found.tolist()]
    return {"queries": keys, "answers": answers, "p50_ms": round(float(np.median(seconds)) * 1000, 3)}


def compare_collections(engine: MilvusEngine, left: str, right: str, k: int, queries: int) -> dict[str, Any]:
    """Ask two collections the same queries, stored in `left`: {queries, k, in_common (a share), p50_ms by name}."""
    first, second = (searchable(engine, name) for name in (left, right))
    if first["dim"] != second["dim"]:
        raise UserError(
            f"'{left}' has vectors of {first['dim']} dimensions and '{right}' of {second['dim']}: "
            "only collections of the same length can be compared."
        )
    if _has_text_keys(first) != _has_text_keys(second):
        raise UserError(
            f"One of '{left}' and '{right}' names its rows by numbers and the other by text: only collections whose "
            "rows have the same names can be compared."
        )
    keys, vectors = _stored(engine, first, queries)
    (one, one_s), (two, two_s) = (_asked(engine, about, vectors, k) for about in (first, second))
    same = [len(set(a) & set(b) - _NO_KEYS) / k for a, b in zip(one.tolist(), two.tolist(), strict=True)]
    p50 = {left: one_s, right: two_s}
    return {
        "queries": len(keys),
        "k": k,
        "in_common": round(float(np.mean(same)), 4),
        "p50_ms": {name: round(float(np.median(seconds)) * 1000, 3) for name, seconds in p50.items()},
    }


def searchable(engine: MilvusEngine, name: str) -> dict[str, Any]:
    """Report a collection as `look` does, or raise UserError where it cannot be searched."""
    about = look(engine, name)
    if about["vector"] is None:
        raise UserError(f"Collection '{name}' has no column of float vectors: choose one that has.")
    if not about["loaded"]:
        raise UserError(
            f"Collection '{name}' is not in the server's memory, and what others made is not touched here: load it "
            "there."
        )
    return about


def everything(engine: MilvusEngine, about: dict[str, Any], progress: Progress = silent) -> tuple[Numbers, Floats]:
    """Read all keys (n), int64 or text, and vectors (n, dim) of a collection that `searchable` reported, in batches."""
    keys = np.empty(about["rows"], object if _has_text_keys(about) else np.int64)
    vectors = np.empty((about["rows"], about["dim"]), np.float32)
    done = 0
    for rows in engine.all_rows(about["name"], [about["key"], about["vector"]], _BATCH):
        part = slice(done, done + len(rows))
        keys[part] = [row[about["key"]] for row in rows][: len(keys) - done]
        vectors[part] = [row[about["vector"]] for row in rows][: len(keys) - done]
        done += len(rows)
        progress(done, max(about["rows"], done), f"reading '{about['name']}'")
    return keys[:done], vectors[:done]  # the server counts deleted rows, too


def _has_text_keys(about: dict[str, Any]) -> bool:
    """Tell what names the rows of a collection: Milvus takes whole numbers or text."""
    return any(field["type"] == "VARCHAR" for field in about["fields"] if field["name"] == about["key"])


def _stored(engine: MilvusEngine, about: dict[str, Any], count: int) -> tuple[list[Any], Floats]:
    if not 1 <= count <= MOST_QUERIES:
        raise UserError(f"{count} queries are out of range: choose 1 to {MOST_QUERIES:,}.")
    rows = engine.rows(about["name"], "", [about["key"], about["vector"]], count)
    if not rows:
        raise UserError(f"Collection '{about['name']}' holds no row: there is nothing to ask it for.")
    return [row[about["key"]] for row in rows], np.array([row[about["vector"]] for row in rows], np.float32)


def _asked(engine: MilvusEngine, about: dict[str, Any], vectors: Floats, k: int) -> tuple[Ints, list[float]]:
    index = CATALOGUE.get(str(about["index"]))
    build = {name: int(value) for name, value in about["params"].items() if str(value).isdigit()}
    params = validate_search(index, build, {}, k) if index else {}
    found, seconds = [], []
    for vector in vectors:
        begin = time.perf_counter()
        found.append(engine.search(about["name"], vector[None], k, params, field=about["vector"]).ids[0])
        seconds.append(time.perf_counter() - begin)
    return np.array(found), seconds
