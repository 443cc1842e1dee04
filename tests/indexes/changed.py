"""An index that is changed, and its rows."""

from typing import Any

from pipeline.indexes.registry import find_index
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Recommender

ITEMS, SESSIONS, BROUGHT = "items-session-hnsw", "sessions-session-hnsw", "items-mine-hnsw"
HISTORY = ["i1", "i2", "i3"]


def rows_of(shop: Recommender, engine: MilvusEngine) -> dict[str, dict[str, Any]]:
    collection = find_index(shop.workspace, ITEMS)["collection"]
    rows = engine.rows(collection, "id >= 0", ["id", "item_id", "category", "popularity", "price"])
    assert len({row["item_id"] for row in rows}) == len(rows), "an id has two rows"
    return {row["item_id"]: row for row in rows}
