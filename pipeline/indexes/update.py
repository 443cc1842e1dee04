"""Rows that come to an index, or leave it, after it is built; the server alone says what it holds.

A row's key is looked up in the server by its id, and a new id has a key above the largest in use, so a change that was
cut off is made whole by making it again. Beside the index lies only what the server said last (changes.json).
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import ID
from pipeline.core.errors import NotLoaded, UserError
from pipeline.core.ids import candidates, named_ids
from pipeline.core.progress import Progress, silent
from pipeline.indexes.registry import CHANGES, index_stage
from pipeline.models.registry import KINDS
from pipeline.search.engine import Column, Database, Scalar
from pipeline.search.usable import usable_vectors
from pipeline.store.workspace import Workspace, write_json
from pipeline.training.train import stage_name
from pipeline.vectors.embed import vectors_stage

_AT_ONCE = 10_000  # ids a question: they travel as text
_KINDS: dict[str, Scalar] = {"VARCHAR": "text", "INT64": "int", "DOUBLE": "float"}
_DTYPES: dict[Scalar, Any] = {"text": pl.String, "int": pl.Int64, "float": pl.Float64}
_NOTHING: dict[Scalar, Any] = {"text": "", "int": 0, "float": 0.0}


def check_items(index: dict[str, Any]) -> None:
    """Refuse an index that vectors of a file do not belong in."""
    if index["vectors"] == "sessions" and index["model"] in KINDS:
        raise UserError(f"Index '{index['name']}' holds sessions: add those of a click log with `index append`.")
    check_columns(index)


def check_sessions(workspace: Workspace, index: dict[str, Any]) -> None:
    """Refuse an index that sessions of a log do not belong in, or that another training of the model made."""
    if index["vectors"] != "sessions" or index["model"] not in KINDS:
        raise UserError(f"Index '{index['name']}' holds no model's sessions: add vectors with `index upsert`.")
    check_columns(index)
    vectors, model = vectors_stage(index["model"]), stage_name(index["model"])
    built = (workspace.manifest(index_stage(index["name"])) or {}).get("inputs", {}).get(vectors)
    now, trained = workspace.manifest(vectors) or {}, workspace.manifest(model) or {}
    if built != now.get("key") or now.get("inputs", {}).get(model) != trained.get("key"):
        raise UserError(
            f"{index['model']} was trained anew after index '{index['name']}' was built, and vectors of two trainings "
            f"do not compare: run `embed --model {index['model']}` and build the index again."
        )


def check_columns(index: dict[str, Any]) -> None:
    """Refuse an index of an older version, whose rows cannot be found by id."""
    if not index.get("columns"):
        raise UserError(f"Index '{index['name']}' was built without its ids as a column: build it again.")


def kinds(engine: Database, index: dict[str, Any]) -> dict[str, Scalar]:
    """Give the columns that the index has beside the id, with their types as the server has them."""
    types = {field["name"]: field["type"] for field in engine.schema(index["collection"])["fields"]}
    return {column: _KINDS[types[column]] for column in index["columns"][1:]}


def counts(index: dict[str, Any], engine: Database) -> dict[str, int]:
    """Count as the server tells: rows, those that were not built in, and those built in that are gone."""
    count = engine.count(index["collection"])
    added = engine.count(index["collection"], f"{ID} >= {index['next_key']}")
    return {"count": count, "added": added, "deleted": index["rows"] - (count - added)}


def put_rows(
    workspace: Workspace,
    index: dict[str, Any],
    ids: Sequence[str],
    vectors: Floats,
    given: pl.DataFrame | None,
    engine: Database,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Upsert rows by id; columns that `given` lacks keep what they have, and are empty in new rows."""
    if not len(ids):
        return {"new": 0, "replaced": 0}
    usable_vectors(f"What was to be added to index '{index['name']}'", vectors, index.get("metric", "IP"), ids)
    engine.load(index["collection"])
    there = _there(index, ids, engine)
    known = np.array([i in there for i in ids], bool)
    keys = np.zeros(len(ids), np.int64)
    keys[known] = [there[i][ID] for i in ids if i in there]
    keys[~known] = _largest(index, engine) + 1 + np.arange((~known).sum())
    scalars: dict[str, Column] = {index["columns"][0]: list(ids)}
    for name, kind in kinds(engine, index).items():
        empty = index["unknown"].get(name, _NOTHING[kind])
        kept = [there[i][name] if i in there else empty for i in ids]
        values = given[name] if given is not None and name in given.columns else pl.Series(name, kept, _DTYPES[kind])
        scalars[name] = values.to_list() if kind == "text" else values.to_numpy()
    with _changing(workspace, index, engine, "upsert"):
        engine.upsert(index["collection"], keys, vectors, scalars, progress)
    return {"new": int((~known).sum()), "replaced": int(known.sum())}


def take_out(workspace: Workspace, index: dict[str, Any], ids: Sequence[str], engine: Database) -> dict[str, Any]:
    """Delete rows by id; ids that are not there are named."""
    check_columns(index)
    engine.load(index["collection"])
    there = _there(index, ids, engine)
    with _changing(workspace, index, engine, "delete"):
        engine.delete(index["collection"], np.array([row[ID] for row in there.values()], np.int64))
    return {"taken_out": len(there), "not_there": [i for i in dict.fromkeys(ids) if i not in there]}


def called(index: dict[str, Any], values: Sequence[str], engine: Database) -> list[str]:
    """List the ids that the values name, by what the index holds."""
    engine.load(index["collection"])
    return named_ids(values, _there(index, candidates(values), engine))


def _there(index: dict[str, Any], ids: Sequence[str], engine: Database) -> dict[str, dict[str, Any]]:
    """Read the rows that have these ids, by id, as every change so far has left them."""
    column = index["columns"][0]
    found: dict[str, dict[str, Any]] = {}
    for low in range(0, len(ids), _AT_ONCE):
        asked = json.dumps(list(ids[low : low + _AT_ONCE]), ensure_ascii=False)
        rows = engine.rows(index["collection"], f"{column} in {asked}", [ID, *index["columns"]], wait=low == 0)
        found |= {row[column]: row for row in rows}
    return found


def _largest(index: dict[str, Any], engine: Database) -> int:
    """Give the largest key in use, deleted ones that were built in counted too: the model's catalogue has them."""
    first = index["next_key"]
    return max([first - 1, *(row[ID] for row in engine.rows(index["collection"], f"{ID} >= {first}", [ID]))])


@contextlib.contextmanager
def _changing(workspace: Workspace, index: dict[str, Any], engine: Database, verb: str) -> Iterator[None]:
    """Note that a change begins, and what the server holds when it has ended, well or not."""
    path = workspace.stage(index_stage(index["name"])) / CHANGES
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(path, {"freshness": now, "under_way": verb})
    try:
        yield
    finally:
        with contextlib.suppress(UserError):  # the server is gone: `index show` counts when it is back
            write_json(path, {"freshness": datetime.now(UTC).isoformat(timespec="seconds"), **counts(index, engine)})


def show(index: dict[str, Any], engine: Database) -> dict[str, Any]:
    """Give everything known of one index; counts are the server's own where it has the index in memory."""
    about = engine.describe(index["collection"])
    live: dict[str, Any] = {}
    with contextlib.suppress(NotLoaded):
        live = counts(index, engine)
    return index | live | {"loaded": about["loaded"], "served_as": {k: about[k] for k in ("index", "metric", "params")}}
