"""Collections that others built are benchmarked as they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema

from pipeline.core.errors import UserError
from pipeline.search.milvus import foreign
from tests.bench.conftest import Served
from tests.bench.sweeps import bench

pytestmark = pytest.mark.milvus


def test_a_collection_of_others_is_asked_as_it_is(served: Served, root: Path) -> None:
    before = served.engine.describe("ready")
    options = ("--search", "nprobe=1,16", "--nq", "50", "--concurrency", "1", "--top-k", "10", "--seconds", "0.2")
    answer = bench(root, "--collection", "ready", *options, "--queries", "200")
    low, high = answer["rows"]
    assert (low["index"], low["build"], low["scenario"]) == ("IVF_FLAT", {"nlist": 16}, "ready")
    assert low["recall"] < high["recall"] == 1.0
    assert low["build_s"] is low["server_growth_mb"] is None
    assert served.engine.describe("ready") == before
    assert "There is no collection 'raedy'" in bench(root, "--collection", "raedy", code=2)["error"]


@pytest.fixture
def texts(served: Served) -> Iterator[str]:
    """Make a collection as others do, whose rows have text for keys."""
    fields = [
        FieldSchema("name", DataType.VARCHAR, is_primary=True, max_length=40),
        FieldSchema("embedding", DataType.FLOAT_VECTOR, dim=served.vectors.shape[1]),
    ]
    made = Collection("texts", CollectionSchema(fields), using=served.engine.alias, num_shards=1)
    made.insert([[f"item {n}" for n in range(len(served.vectors))], list(served.vectors)])
    made.flush()
    made.create_index("embedding", {"index_type": "IVF_FLAT", "metric_type": "IP", "params": {"nlist": 16}})
    made.load()
    yield "texts"
    made.drop()


def test_a_collection_with_text_for_keys_is_asked_and_compared(served: Served, root: Path, texts: str) -> None:
    options = ("--search", "nprobe=1,16", "--nq", "50", "--concurrency", "1", "--top-k", "10", "--seconds", "0.2")
    for client in ("raw", "pymilvus"):
        answer = bench(root, "--collection", texts, *options, "--queries", "200", "--client", client)
        few, all_of_them = answer["rows"][-2:]
        assert few["recall"] < all_of_them["recall"] == 1.0
    found = foreign.neighbours(served.engine, texts, 5, queries=3)
    assert all(
        key.startswith("item ") and len(answer) == 5
        for key, answer in zip(found["queries"], found["answers"], strict=True)
    )
    ours = foreign.compare_collections(served.engine, texts, texts, 10, 20)
    assert ours["in_common"] == 1
    with pytest.raises(UserError, match="names its rows by numbers and the other by text"):
        foreign.compare_collections(served.engine, texts, "ready", 10, 20)
