"""From a session's clicks to items: the encoder, then Milvus, without TensorFlow."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl

from pipeline.clicks.ingest import session_clicks
from pipeline.core.arrays import Floats, Rows
from pipeline.core.columns import CATEGORY, DEFAULT_MODEL, ID, ITEM_ID, ITEM_IDX, RANK, SCORE, VECTOR
from pipeline.core.errors import NotLoaded, UserError
from pipeline.core.text import did_you_mean
from pipeline.core.workspace import Workspace
from pipeline.indexes.filters import check_filter, for_milvus
from pipeline.indexes.known import Known, kept_with, serving_now
from pipeline.indexes.registry import find_index, of_another_training, served_search, serving
from pipeline.search.catalogue import index_type
from pipeline.search.engine import Database
from pipeline.search.measure import recall
from pipeline.search.params import Values, parse_params, raised, validate_search

MOST_COMPARED = 50_000  # rows under a filter that recall is measured over: reading more would outlast the search
_OTHER = (
    "The index was built from an older training of {0}, which gives this answer: refresh it "
    "on the Train page, or with `run --model {0}`."
)
_NOT_KEPT = (
    "The index was built from an older training of {0}: refresh it on the Train page, or with `run --model {0}`."
)
_KEPT = 2  # trainings in memory beside the one that serves
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
    """Answer queries with one model; keeps weights and catalogue in memory (some 10 MB), those of its indexes too."""

    def __init__(self, workspace: Workspace, model: str = DEFAULT_MODEL) -> None:
        self.workspace, self.model = workspace, model
        self.now = serving_now(workspace, model)
        self._kept: dict[str, Known] = {}

    @property
    def catalogue(self) -> pl.DataFrame:
        """Give the items that the training which serves has seen."""
        return self.now.catalogue

    def of(self, index: dict[str, Any]) -> Known:
        """Give what answers through an index: the training kept with it, else the one that serves."""
        key = index["training"]
        if key is None or key == self.now.key:
            return self.now
        if key not in self._kept:
            kept = [*self._kept.items()][1 - _KEPT :]
            self._kept = dict(kept) | {key: kept_with(self.workspace, index)}
        return self._kept[key]

    def session(self, session: Any) -> list[str]:
        """Give the items a session clicked, oldest first; raise UserError where there is no such session."""
        clicks = session_clicks(self.workspace, session)
        if clicks.is_empty():
            raise UserError(
                f"No session '{session}'. Try “One at random” on the Recommend page, or an id from the clicks."
            )
        return clicks[ITEM_ID].cast(pl.String).to_list()

    def known(self, items: Sequence[str], index: str | None = None) -> list[str]:
        """Check that the index knows every item, or raise UserError naming the first that it does not."""
        rows = self.of(self.serving(index)).rows
        for item in items:
            if item not in rows:
                raise UserError(
                    f"Item '{item}' is not among the {len(rows):,} items that the model was trained on."
                    f"{did_you_mean(item, rows)}"
                )
        return list(items)

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
        known = self.of(index)
        dim = known.encoder.vectors.shape[1]
        if index["dim"] != dim:
            raise UserError(
                f"Index '{index['name']}' holds vectors of {index['dim']} numbers, and the training of {self.model} "
                f"that serves makes {dim}: refresh it on the Train page, or with `run --model {self.model}`."
            )
        most = _size(index, len(known.rows))
        if not 1 <= query.k <= most:
            raise UserError(f"k {query.k} is out of range: choose 1 to {most:,}, the size of the catalogue.")
        if query.filter:
            check_filter(index, query.filter)
            for_milvus(query.filter, index["unknown"])
        self.search_params(index, query, self._fetch(index, history, query))
        known.read(history)
        return index

    def _fetch(self, index: dict[str, Any], history: Sequence[str], query: Query) -> int:
        """Ask for as many more as may have to be left out."""
        rows = self.of(index).rows
        seen = {item for item in history if index["changed"] or item in rows} if query.exclude_seen else set()
        return min(query.k + len(seen), _size(index, len(rows)))

    def search_params(self, index: dict[str, Any], query: Query, fetch: int) -> Values:
        """Give what is asked with: the query's own parameters, else those that the index serves with, made to fit."""
        kind = index_type(index["index"])
        served = parse_params(served_search(self.workspace, index["name"]))
        given = parse_params(query.search) if query.search else raised(kind, served, fetch)
        return validate_search(kind, index["params"], given, fetch)

    def recommend(self, history: Sequence[str], query: Query, engine: Database, exact: bool = False) -> dict[str, Any]:
        """Search the index for the session's vector; give history, items, latency_ms and what the filter did.

        With `exact` also the ids that the model itself ranks best, of all items that it knows.
        """
        index = self.check(history, query)
        known = self.of(index)
        where = for_milvus(query.filter, index["unknown"])
        filtered = _let_through(engine, index, query.filter, where) if query.filter else None
        begin = time.perf_counter()
        vector = known.encode(history)
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
        note = self._note(index)
        if filtered is not None:
            answered = np.array([key for key, _ in kept], np.int64)
            filtered["recall"] = self._recall(index, filtered, where, vector, answered, query.k, seen, engine)
            note = note if filtered["matching"] else _NOTHING.format(**filtered, name=index["name"])
        return (
            {
                "history": [known.describe(i) for i in history],
                "items": [{RANK: rank, **item} for rank, (_, item) in enumerate(kept, 1)],
                "latency_ms": {
                    "encode": round((encoded - begin) * 1000, 3),
                    "search": round((searched - encoded) * 1000, 3),
                    "total": round(took * 1000, 3),
                },
                "index": index["name"],
                "note": note,
            }
            | ({} if filtered is None else {"filter": filtered})
            | ({"exact": known.nearest(vector, query.k)} if exact else {})
        )

    def _note(self, index: dict[str, Any]) -> str:
        """Say where the answer comes from, if not from the training that serves."""
        if not of_another_training(self.workspace, index):
            return str(index["note"])
        return (_NOT_KEPT if index["training"] is None else _OTHER).format(self.model)

    def _by_row(self, index: dict[str, Any]) -> bool:
        """Tell whether a key says nothing of an item: it came after the build, or no catalogue is kept since then."""
        not_kept = index["training"] is None and of_another_training(self.workspace, index)
        return bool(index["changed"] or (not_kept and index.get("columns")))

    def _items(
        self, index: dict[str, Any], keys: Rows, scores: Floats, engine: Database
    ) -> list[tuple[int, dict[str, Any]]]:
        """Describe what was found, by key; where the catalogue does not know the key, by the row in the index."""
        known = self.of(index)
        pairs = [(int(key), round(float(score), 6)) for key, score in zip(keys, scores, strict=True)]
        if not self._by_row(index) and all(key in known.row_of_key for key, _ in pairs):  # else a row came just now
            return [(key, _scored(known.item(known.row_of_key[key]), score)) for key, score in pairs]
        asked = f"{ID} in {[key for key, _ in pairs]}"
        rows = engine.rows(index["collection"], asked, [ID, *index["columns"]]) if pairs else []
        by_key = {row[ID]: {name: row[name] for name in index["columns"]} for row in rows}
        return [(key, _scored(_told(index, known, by_key[key]), score)) for key, score in pairs if key in by_key]

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
        known = self.of(index)
        if self._by_row(index):
            rows = engine.rows(index["collection"], expression, [ID, ITEM_ID, VECTOR])
            rows = [row for row in rows if row[ITEM_ID] not in seen]
            return np.array([row[ID] for row in rows], np.int64), np.array([row[VECTOR] for row in rows], np.float32)
        keys = [int(row[ID]) for row in engine.rows(index["collection"], expression, [ID])]
        keys = [key for key in keys if key in known.row_of_key]  # a row that came just now is not compared
        left_out = {int(known.catalogue[ITEM_IDX][known.rows[item]]) for item in seen if item in known.rows}
        kept = np.array([key for key in keys if key not in left_out], np.int64)
        return kept, known.encoder.vectors[[known.row_of_key[int(key)] for key in kept]]


def _scored(item: dict[str, Any], score: float) -> dict[str, Any]:
    """Put the score behind what names the item."""
    return {name: item[name] for name in (ITEM_ID, CATEGORY) if name in item} | {SCORE: score} | item


def _told(index: dict[str, Any], known: Known, row: dict[str, Any]) -> dict[str, Any]:
    """Describe an item by its row in the index, and by the catalogue where that knows it."""
    told = {name: value for name, value in row.items() if value != index["unknown"].get(name)}
    return known.describe(row[ITEM_ID]) | told


_NOTHING = "None of the {rows:,} rows of {name} matches {expression}: loosen the filter."


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
