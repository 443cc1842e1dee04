"""From a session's clicks to items: the encoder, then Milvus, without TensorFlow."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl

from pipeline.clicks.ingest import session_clicks
from pipeline.core.arrays import Floats, Rows
from pipeline.core.columns import CATEGORY, DEFAULT_MODEL, ID, ITEM_ID, ITEM_IDX, RANK, SCORE, VECTOR
from pipeline.core.errors import NotLoaded, UserError
from pipeline.core.ids import named_ids
from pipeline.core.text import did_you_mean
from pipeline.indexes.filters import Filter
from pipeline.indexes.known import KnownItems, in_use_now, kept_with
from pipeline.indexes.registry import find_index, index_in_use
from pipeline.search.engine import Database
from pipeline.search.measure import recall
from pipeline.serving.request import Query, Request, checked
from pipeline.store.workspace import Workspace

MOST_COMPARED = 50_000  # rows under a filter that recall is measured over: reading more would outlast the search
_OTHER = (
    "The index was built from an older training of {0}, which gives this answer: refresh it "
    "on the Train page, or with `run --model {0}`."
)
_NOT_KEPT = (
    "The index was built from an older training of {0}: refresh it on the Train page, or with `run --model {0}`."
)
_KEPT = 2  # trainings in memory beside the one in use
T = TypeVar("T")


class Recommender:
    """Answer queries with one model; keeps weights and catalogue in memory (some 10 MB), those of its indexes too."""

    def __init__(self, workspace: Workspace, model: str = DEFAULT_MODEL) -> None:
        self.workspace, self.model = workspace, model
        self.now = in_use_now(workspace, model)
        self._kept: dict[str, KnownItems] = {}

    @property
    def catalogue(self) -> pl.DataFrame:
        """Give the items that the training in use has seen."""
        return self.now.catalogue

    def of(self, index: dict[str, Any]) -> KnownItems:
        """Give what answers through an index: the training kept with it, else the one in use."""
        key = index["training"]
        if key is None or key == self.now.key:
            return self.now
        if key not in self._kept:
            kept = [*self._kept.items()][1 - _KEPT :]
            self._kept = dict(kept) | {key: kept_with(self.workspace, index)}
        return self._kept[key]

    def session(self, session: Any) -> list[str]:
        """Give the items a session clicked, oldest first; raise UserError where there is no such session."""
        return session_items(self.workspace, session)

    def index_in_use(self, name: str | None) -> dict[str, Any]:
        """Give the item index to search: the one named, else the one in use."""
        if name is not None:
            return find_index(self.workspace, name)
        return index_in_use(self.workspace, self.model)

    def check(self, history: Sequence[str], query: Query) -> Request:
        """Make a query after these clicks, oldest first, a request; raise UserError before any server is asked."""
        index = self.index_in_use(query.index)
        return checked(self.workspace, self.model, index, self.of(index), history, query)

    def check_items(self, values: Sequence[str], query: Query) -> Request:
        """Do as `check` does after items as a person names them; raise UserError for the first that is not known."""
        index = self.index_in_use(query.index)
        known = self.of(index)
        history = all_known(named_ids(values, known.rows), known)
        return checked(self.workspace, self.model, index, known, history, query)

    def recommend(self, request: Request, engine: Database) -> dict[str, Any]:
        """Search the index for the session's vector; give history, items, latency_ms and what the filter did."""
        collection, where = request.index["collection"], request.where
        filtered = None if request.filter is None else _let_through(engine, collection, request.filter)
        begin = time.perf_counter()
        vector = request.vector
        encoded = time.perf_counter()
        found = loaded(
            engine, collection, lambda: engine.search(collection, vector, request.fetch, request.search, where)
        )
        searched = time.perf_counter()
        there = found.ids[0] >= 0
        items = self._items(request, found.ids[0][there], found.scores[0][there], engine)
        kept = [(key, item) for key, item in items if item["item_id"] not in request.seen][: request.k]
        took = time.perf_counter() - begin
        note = self._note(request)
        if filtered is not None:
            answered = np.array([key for key, _ in kept], np.int64)
            filtered["recall"] = self._recall(request, filtered, answered, engine)
            note = note if filtered["matching"] else _NOTHING.format(**filtered, name=request.index["name"])
        return {
            "history": [request.known.describe(i) for i in request.history],
            "items": [{RANK: rank, **item} for rank, (_, item) in enumerate(kept, 1)],
            "latency_ms": {
                "encode": round((encoded - begin) * 1000, 3),
                "search": round((searched - encoded) * 1000, 3),
                "total": round(took * 1000, 3),
            },
            "index": request.index["name"],
            "note": note,
        } | ({} if filtered is None else {"filter": filtered})

    def _note(self, request: Request) -> str:
        """Say where the answer comes from, if not from the training in use."""
        if not request.outdated:
            return str(request.index["note"])
        return (_NOT_KEPT if request.index["training"] is None else _OTHER).format(self.model)

    def _items(
        self, request: Request, keys: Rows, scores: Floats, engine: Database
    ) -> list[tuple[int, dict[str, Any]]]:
        """Describe what was found, by key; where the catalogue does not know the key, by the row in the index."""
        index, known = request.index, request.known
        pairs = [(int(key), round(float(score), 6)) for key, score in zip(keys, scores, strict=True)]
        if not request.by_row and all(key in known.row_of_key for key, _ in pairs):  # else a row came just now
            return [(key, _scored(known.item(known.row_of_key[key]), score)) for key, score in pairs]
        asked = f"{ID} in {[key for key, _ in pairs]}"
        rows = engine.rows(index["collection"], asked, [ID, *index["columns"]]) if pairs else []
        by_key = {row[ID]: {name: row[name] for name in index["columns"]} for row in rows}
        return [(key, _scored(_told(index, known, by_key[key]), score)) for key, score in pairs if key in by_key]

    def _recall(self, request: Request, filtered: dict[str, Any], answered: Rows, engine: Database) -> float | None:
        """Compare an answer with the exact best among the rows let through; None where there are none, or too many."""
        if not 0 < filtered["matching"] <= MOST_COMPARED:
            return None
        keys, vectors = self._let_through(request, engine)
        if not len(keys):
            return None
        found = np.full((1, min(request.k, len(keys))), -1, np.int64)
        found[0, : len(answered)] = answered
        return round(recall(keys, vectors, request.vector, found, request.index.get("metric", "IP")), 4)

    def _let_through(self, request: Request, engine: Database) -> tuple[Rows, Floats]:
        """Give keys and vectors of the rows that the filter lets through, those seen left out."""
        collection, known, seen = request.index["collection"], request.known, request.seen
        if request.by_row:
            rows = engine.rows(collection, request.where, [ID, ITEM_ID, VECTOR])
            rows = [row for row in rows if row[ITEM_ID] not in seen]
            return np.array([row[ID] for row in rows], np.int64), np.array([row[VECTOR] for row in rows], np.float32)
        keys = [int(row[ID]) for row in engine.rows(collection, request.where, [ID])]
        keys = [key for key in keys if key in known.row_of_key]  # a row that came just now is not compared
        left_out = {int(known.catalogue[ITEM_IDX][known.rows[item]]) for item in seen if item in known.rows}
        kept = np.array([key for key in keys if key not in left_out], np.int64)
        return kept, known.encoder.vectors[[known.row_of_key[int(key)] for key in kept]]


def session_items(workspace: Workspace, session: Any) -> list[str]:
    """Give the items a session clicked, oldest first; raise UserError where there is no such session."""
    clicks = session_clicks(workspace, session)
    if clicks.is_empty():
        raise UserError(f"No session '{session}'. Try “One at random” on the Recommend page, or an id from the clicks.")
    return clicks[ITEM_ID].cast(pl.String).to_list()


def all_known(items: list[str], known: KnownItems) -> list[str]:
    """Give items that the model all knows, or raise UserError naming the first that it does not."""
    for item in items:
        if item not in known.rows:
            raise UserError(
                f"Item '{item}' is not among the {len(known.rows):,} items that the model was trained on."
                f"{did_you_mean(item, known.rows)}"
            )
    return items


def _scored(item: dict[str, Any], score: float) -> dict[str, Any]:
    """Put the score behind what names the item."""
    return {name: item[name] for name in (ITEM_ID, CATEGORY) if name in item} | {SCORE: score} | item


def _told(index: dict[str, Any], known: KnownItems, row: dict[str, Any]) -> dict[str, Any]:
    """Describe an item by its row in the index, and by the catalogue where that knows it."""
    told = {name: value for name, value in row.items() if value != index["unknown"].get(name)}
    return known.describe(row[ITEM_ID]) | told


_NOTHING = "None of the {rows:,} rows of {name} matches {expression}: loosen the filter."


def _let_through(engine: Database, collection: str, filter: Filter) -> dict[str, Any]:
    """Count what a filter lets through: {expression, matching, rows, selectivity}."""
    try:
        matching = loaded(engine, collection, lambda: engine.count(collection, filter.where, wait=False))
    except UserError:
        engine.count(collection, filter.written, wait=False)  # refused in words about what was written
        raise
    rows = engine.count(collection, wait=False)
    selectivity = round(matching / rows, 4) if rows else 0.0
    return {"expression": filter.written, "matching": matching, "rows": rows, "selectivity": selectivity}


def loaded(engine: Database, collection: str, ask: Callable[[], T]) -> T:
    """Ask, after loading a collection that was released, or that a restarted server has not loaded yet."""
    try:
        return ask()
    except NotLoaded:
        engine.load(collection)
        return ask()
