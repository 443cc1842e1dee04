"""From a session's clicks to items: the query tower, then Milvus, without TensorFlow."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.errors import NotLoaded, UserError
from pipeline.indexes import find_index, serving
from pipeline.ingest import session_clicks
from pipeline.models.sessions import MAX_HISTORY, Histories
from pipeline.models.tower import Floats
from pipeline.names import CATEGORY, CATEGORY_IDX, ITEM_ID, ITEM_IDX
from pipeline.text import did_you_mean
from pipeline.train import Towers, load_model
from pipeline.vectors.catalogue import index_type
from pipeline.vectors.engine import Engine, Found
from pipeline.vectors.params import Values, parse_params, validate_search
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Query:
    """What a person can choose of a query."""

    k: int = 10
    index: str | None = None
    search: str = ""  # search parameters, e.g. 'ef=120'
    exclude_seen: bool = False


class Recommender:
    """Answer queries with one model; keeps its weights and catalogue in memory (some 10 MB)."""

    def __init__(self, workspace: Workspace, model: str = "two_tower") -> None:
        loaded, self.catalogue = load_model(workspace, model)
        if not isinstance(loaded, Towers):
            raise UserError(
                f"Model '{model}' makes no vectors to search with: choose one that does, such as two_tower."
            )
        self.workspace, self.model, self.towers = workspace, model, loaded
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
        return self.towers.towers.query.histories(histories)

    def exact(self, items: Sequence[str], k: int) -> list[str]:
        """Give the model's own top k by comparing with every item."""
        scores = (self.encode(items) @ self.towers.vectors.T)[0]
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
        if not 1 <= query.k <= len(self.rows):
            raise UserError(f"k {query.k} is out of range: choose 1 to {len(self.rows):,}, the size of the catalogue.")
        self._params(index, query, self._fetch(history, query))
        self.encode(history)
        return index

    def _fetch(self, history: Sequence[str], query: Query) -> int:
        """Ask for as many more as may have to be left out."""
        seen = {item for item in history if item in self.rows} if query.exclude_seen else set()
        return min(query.k + len(seen), len(self.rows))

    def _params(self, index: dict[str, Any], query: Query, fetch: int) -> Values:
        return validate_search(index_type(index["index"]), index["params"], parse_params(query.search), fetch)

    def recommend(self, history: Sequence[str], query: Query, engine: Engine) -> dict[str, Any]:
        """Search the index for the session's vector; give history, items and latency_ms."""
        index = self.check(history, query)
        begin = time.perf_counter()
        vector = self.encode(history)
        encoded = time.perf_counter()
        seen = set(history) if query.exclude_seen else set()
        fetch = self._fetch(history, query)
        params = self._params(index, query, fetch)
        found = _search(engine, index["collection"], vector, fetch, params)
        searched = time.perf_counter()
        pairs = [
            (self.row_of_key[int(i)], float(s)) for i, s in zip(found.ids[0], found.scores[0], strict=True) if i >= 0
        ]
        items = [self._item(row, score) for row, score in pairs]
        kept = [item for item in items if item["item_id"] not in seen][: query.k]
        return {
            "history": [self.describe(i) for i in history],
            "items": [{"rank": rank, **item} for rank, item in enumerate(kept, 1)],
            "latency_ms": {
                "encode": round((encoded - begin) * 1000, 3),
                "search": round((searched - encoded) * 1000, 3),
                "total": round((time.perf_counter() - begin) * 1000, 3),
            },
            "index": index["name"],
            "note": index["note"],
        }

    def describe(self, item: str) -> dict[str, Any]:
        """Give what is known of an item; only its id where training has not seen it."""
        return self._item(self.rows[item], None) if item in self.rows else {"item_id": item}

    def _item(self, row: int, score: float | None) -> dict[str, Any]:
        """Describe an item: id, category, score, and all the metadata that came with it."""
        known = self.catalogue.row(row, named=True)
        extra = {k: v for k, v in known.items() if k not in (ITEM_ID, CATEGORY, ITEM_IDX, CATEGORY_IDX)}
        scored = {} if score is None else {"score": round(score, 6)}
        return {"item_id": str(known[ITEM_ID]), "category": known[CATEGORY], **scored, **extra}


def _search(engine: Engine, collection: str, vector: Floats, top_k: int, params: Values) -> Found:
    """Search, after loading a collection that was released, or that a restarted server has not loaded yet."""
    try:
        return engine.search(collection, vector, top_k, params)
    except NotLoaded:
        engine.load(collection)
        return engine.search(collection, vector, top_k, params)
