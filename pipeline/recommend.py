"""From a session's clicks to items: the encoder, then Milvus, without TensorFlow."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl

from pipeline.errors import NotLoaded, UserError
from pipeline.filters import check_filter, for_milvus
from pipeline.indexes import find_index, of_another_training, served_search, serving
from pipeline.ingest import session_clicks
from pipeline.models.sessions import MAX_HISTORY, Histories
from pipeline.models.tower import Floats
from pipeline.names import (
    CATEGORY,
    CATEGORY_IDX,
    CLICKS,
    DEFAULT_MODEL,
    ID,
    ITEM_ID,
    ITEM_IDX,
    RESERVED,
    TRAIN_CLICKS,
    VECTOR,
)
from pipeline.text import did_you_mean
from pipeline.train import load_encoder
from pipeline.vectors.catalogue import index_type
from pipeline.vectors.engine import Database
from pipeline.vectors.measure import recall
from pipeline.vectors.memory import Rows
from pipeline.vectors.params import Values, parse_params, raised, validate_search
from pipeline.workspace import Workspace

MOST_COMPARED = 50_000  # rows under a filter that recall is measured over: reading more would outlast the search
_OTHER = (
    "The index holds vectors of another training of {0} than serves now: refresh it on the Train page, or with "
    "`run --model {0}`."
)
T = TypeVar("T")


@dataclass(frozen=True)
class Query:
    """What a person can choose of a query."""

    k: int = 10
    index: str | None = None
    search: str = ""  # search parameters, e.g. 'ef=120'
    exclude_seen: bool = False
    filter: str = ""  # an expression over the index's columns, e.g. "price < 40 and category == 'skirts'"


class Recommender:
    """Answer queries with one model; keeps its weights and catalogue in memory (some 10 MB)."""

    def __init__(self, workspace: Workspace, model: str = DEFAULT_MODEL) -> None:
        self.encoder, self.catalogue = load_encoder(workspace, model)
        self.workspace, self.model = workspace, model
        ids = self.catalogue[ITEM_ID].cast(pl.String).to_list()
        self.rows = {item: row for row, item in enumerate(ids)}
        self.row_of_key = {int(key): row for row, key in enumerate(self.catalogue[ITEM_IDX])}

    def session(self, session: Any) -> list[str]:
        """Give the items a session clicked, oldest first; raise UserError where there is no such session."""
        clicks = session_clicks(self.workspace, session)
        if clicks.is_empty():
            raise UserError(f"There is no session '{session}' in the clicks: choose one that `data` or a page shows.")
        return clicks[ITEM_ID].cast(pl.String).to_list()

    def known(self, items: Sequence[str]) -> list[str]:
        """Check that every item is in the catalogue, or raise UserError naming the first that is not."""
        for item in items:
            if item not in self.rows:
                raise UserError(
                    f"Item '{item}' is not among the {len(self.rows):,} items that the model was trained on."
                    f"{did_you_mean(item, self.rows)}"
                )
        return list(items)

    def encode(self, items: Sequence[str]) -> Floats:
        """Encode clicks, oldest first, to a (1, dim) query; items unknown to the model are left out."""
        rows = [self.rows[item] for item in items if item in self.rows][-MAX_HISTORY:]
        if not rows:
            raise UserError("None of these items was seen in training, so there is nothing to recommend from: add one.")
        clicked = self.catalogue[rows]
        histories = Histories(
            clicked[ITEM_IDX].to_numpy(), clicked[CATEGORY_IDX].to_numpy(), np.array([0]), np.array([len(rows)])
        )
        return self.encoder.encode(histories)

    def exact(self, items: Sequence[str], k: int) -> list[str]:
        """Give the model's own top k by comparing with every item."""
        scores = (self.encode(items) @ self.encoder.vectors.T)[0]
        best = np.argsort(-scores, kind="stable")[:k]
        return self.catalogue[ITEM_ID][best].cast(pl.String).to_list()

    def serving(self, name: str | None) -> dict[str, Any]:
        """Give the item index to search: the one named, else the one that serves."""
        if name is not None:
            return find_index(self.workspace, name)
        return serving(self.workspace, self.model)

    def check(self, history: Sequence[str], query: Query) -> dict[str, Any]:
        """Check a query before any server is asked; give the index that it goes to."""
        index = self.serving(query.index)
        if index["vectors"] != "items" or index["model"] != self.model:
            raise UserError(f"Index '{index['name']}' does not hold the items of {self.model}: choose one that does.")
        dim = self.encoder.vectors.shape[1]
        if index["dim"] != dim:
            raise UserError(
                f"Index '{index['name']}' holds vectors of {index['dim']} numbers, and the training of {self.model} "
                f"that serves makes {dim}: refresh it on the Train page, or with `run --model {self.model}`."
            )
        most = _size(index, len(self.rows))
        if not 1 <= query.k <= most:
            raise UserError(f"k {query.k} is out of range: choose 1 to {most:,}, the size of the catalogue.")
        if query.filter:
            check_filter(index, query.filter)
            for_milvus(query.filter, index["unknown"])
        self.search_params(index, query, self._fetch(index, history, query))
        self.encode(history)
        return index

    def _fetch(self, index: dict[str, Any], history: Sequence[str], query: Query) -> int:
        """Ask for as many more as may have to be left out."""
        seen = {item for item in history if index["changed"] or item in self.rows} if query.exclude_seen else set()
        return min(query.k + len(seen), _size(index, len(self.rows)))

    def search_params(self, index: dict[str, Any], query: Query, fetch: int) -> Values:
        """Give what is asked with: the query's own parameters, else those that the index serves with, made to fit."""
        kind = index_type(index["index"])
        served = parse_params(served_search(self.workspace, index["name"]))
        given = parse_params(query.search) if query.search else raised(kind, served, fetch)
        return validate_search(kind, index["params"], given, fetch)

    def recommend(self, history: Sequence[str], query: Query, engine: Database) -> dict[str, Any]:
        """Search the index for the session's vector; give history, items, latency_ms and what the filter did."""
        index = self.check(history, query)
        where = for_milvus(query.filter, index["unknown"])
        filtered = _let_through(engine, index, query.filter, where) if query.filter else None
        begin = time.perf_counter()
        vector = self.encode(history)
        encoded = time.perf_counter()
        seen = set(history) if query.exclude_seen else set()
        fetch = self._fetch(index, history, query)
        params = self.search_params(index, query, fetch)
        collection = index["collection"]
        found = _loaded(engine, collection, lambda: engine.search(collection, vector, fetch, params, where))
        searched = time.perf_counter()
        there = found.ids[0] >= 0
        items = self._items(index, found.ids[0][there], found.scores[0][there], engine)
        kept = [(key, item) for key, item in items if item["item_id"] not in seen][: query.k]
        took = time.perf_counter() - begin
        note = _OTHER.format(self.model) if of_another_training(self.workspace, index) else index["note"]
        if filtered is not None:
            answered = np.array([key for key, _ in kept], np.int64)
            filtered["recall"] = self._recall(index, filtered, where, vector, answered, query.k, seen, engine)
            note = note if filtered["matching"] else _NOTHING.format(**filtered, name=index["name"])
        return {
            "history": [self.describe(i) for i in history],
            "items": [{"rank": rank, **item} for rank, (_, item) in enumerate(kept, 1)],
            "latency_ms": {
                "encode": round((encoded - begin) * 1000, 3),
                "search": round((searched - encoded) * 1000, 3),
                "total": round(took * 1000, 3),
            },
            "index": index["name"],
            "note": note,
        } | ({} if filtered is None else {"filter": filtered})

    def _items(
        self, index: dict[str, Any], keys: Rows, scores: Floats, engine: Database
    ) -> list[tuple[int, dict[str, Any]]]:
        """Describe what was found, by key; what an index was given since it was built is read from its rows."""
        pairs = [(int(key), round(float(score), 6)) for key, score in zip(keys, scores, strict=True)]
        if not index["changed"]:
            return [(key, self._item(self.row_of_key[key], score)) for key, score in pairs]
        asked = f"{ID} in {[key for key, _ in pairs]}"
        rows = engine.rows(index["collection"], asked, [ID, *index["columns"]]) if pairs else []
        by_key = {row[ID]: {name: row[name] for name in index["columns"]} for row in rows}
        return [(key, self._changed(by_key[key], index["unknown"], score)) for key, score in pairs if key in by_key]

    def _changed(self, row: dict[str, Any], unknown: dict[str, Any], score: float) -> dict[str, Any]:
        """Describe an item by its row in the index, and by the catalogue where that knows it."""
        known = self.rows.get(row[ITEM_ID])
        told = {name: value for name, value in row.items() if value != unknown.get(name)}
        return (self._item(known, None) if known is not None else {}) | told | {"score": score}

    def _recall(
        self,
        index: dict[str, Any],
        filtered: dict[str, Any],
        where: str,
        vector: Floats,
        answered: Rows,
        k: int,
        seen: set[str],
        engine: Database,
    ) -> float | None:
        """Compare an answer with the exact best among the rows let through; None where there are none, or too many."""
        if not 0 < filtered["matching"] <= MOST_COMPARED:
            return None
        keys, vectors = self._let_through(index, where, seen, engine)
        if not len(keys):
            return None
        found = np.full((1, min(k, len(keys))), -1, np.int64)
        found[0, : len(answered)] = answered
        return round(recall(keys, vectors, vector, found, index.get("metric", "IP")), 4)

    def _let_through(
        self, index: dict[str, Any], expression: str, seen: set[str], engine: Database
    ) -> tuple[Rows, Floats]:
        """Give keys and vectors of the rows that an expression lets through, those seen left out."""
        if index["changed"]:
            rows = engine.rows(index["collection"], expression, [ID, ITEM_ID, VECTOR])
            rows = [row for row in rows if row[ITEM_ID] not in seen]
            return np.array([row[ID] for row in rows], np.int64), np.array([row[VECTOR] for row in rows], np.float32)
        keys = [int(row[ID]) for row in engine.rows(index["collection"], expression, [ID])]
        left_out = {int(self.catalogue[ITEM_IDX][self.rows[item]]) for item in seen if item in self.rows}
        kept = np.array([key for key in keys if key not in left_out], np.int64)
        return kept, self.encoder.vectors[[self.row_of_key[int(key)] for key in kept]]

    def describe(self, item: str) -> dict[str, Any]:
        """Give what is known of an item; only its id where training has not seen it."""
        return self._item(self.rows[item], None) if item in self.rows else {"item_id": item}

    def _item(self, row: int, score: float | None) -> dict[str, Any]:
        """Describe an item: id, category, score, and all the metadata that came with it.

        Metadata that an earlier version took under a reserved name is left out.
        """
        known = self.catalogue.row(row, named=True)
        extra = {k: v for k, v in known.items() if k in (CLICKS, TRAIN_CLICKS) or k not in RESERVED}
        scored = {} if score is None else {"score": round(score, 6)}
        return {"item_id": str(known[ITEM_ID]), "category": known[CATEGORY], **scored, **extra}


_NOTHING = "None of the {rows:,} rows of {name} is let through by {expression}: loosen the filter."


def _size(index: dict[str, Any], catalogue: int) -> int:
    return max(catalogue, index["count"] or 0) if index["changed"] else catalogue


def _let_through(engine: Database, index: dict[str, Any], expression: str, where: str) -> dict[str, Any]:
    """Count what an expression (`where`, for Milvus) lets through: {expression, matching, rows, selectivity}."""
    name = index["collection"]
    try:
        matching = _loaded(engine, name, lambda: engine.count(name, where, wait=False))
    except UserError:
        engine.count(name, expression, wait=False)  # refused in words about what was written, not about `where`
        raise
    rows = engine.count(name, wait=False)
    selectivity = round(matching / rows, 4) if rows else 0.0
    return {"expression": expression, "matching": matching, "rows": rows, "selectivity": selectivity}


def _loaded(engine: Database, collection: str, ask: Callable[[], T]) -> T:
    """Ask, after loading a collection that was released, or that a restarted server has not loaded yet."""
    try:
        return ask()
    except NotLoaded:
        engine.load(collection)
        return ask()
