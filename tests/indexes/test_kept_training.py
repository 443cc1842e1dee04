"""An index answers with the training that it was built from, whatever was read and trained since."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.core.errors import UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.registry import find_index, index_stage
from pipeline.indexes.update import put_rows, take_out
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Query, Recommender
from pipeline.store.stage import MANIFEST, run_stage
from pipeline.store.workspace import Workspace, read_json, write_json
from pipeline.vectors.embed import embed
from tests.conftest import cli_here
from tests.made.road import Nothing, encoder, make_road

pytestmark = pytest.mark.milvus
NAME, HISTORY = "items-session-flat-kept", ["i250", "i2", "i3"]
QUERIES = [
    Query(k=20, index=NAME),
    Query(k=20, index=NAME, exclude_seen=True, filter="price < 40 and category == 'skirts'"),
]


def _trained_anew(workspace: Workspace) -> None:
    """Take the model's place with another training, of other items in another order, as after new clicks."""
    catalogue = pl.read_parquet(workspace.stage("models/session") / "items.parquet")

    ids = [f"n{n}" if n < 50 else f"i{n}" for n in reversed(range(300))]

    def model(folder: Path, report: object) -> dict[str, int]:
        table = catalogue.with_columns(pl.Series("item_id", ids), pl.lit("other").alias("category"))
        table.write_parquet(folder / "items.parquet")
        encoder(np.random.default_rng(77), 300).save(folder / "encoder.npz")
        return {"items": 300}

    run_stage(workspace, "models/session", Nothing(), model, source="anew")


@pytest.fixture
def road(served: Workspace, engine: MilvusEngine) -> Iterator[Workspace]:
    """Give an index of 300 items; the model's stage is put back after the test."""
    make_road(served, seed=21)
    build_index(served, IndexConfig(index="FLAT", label="kept"), engine)
    yield served
    served.remove("models/session")
    served.remove("data")


def test_names_scores_and_the_query_are_those_of_its_training(road: Workspace, engine: MilvusEngine) -> None:
    early = Recommender(road)
    before = [early.recommend(early.check(HISTORY, query), engine) for query in QUERIES]
    exact = early.now.exact(early.now.encode(HISTORY), 20)
    _trained_anew(road)
    late = Recommender(road)
    for embedded in (False, True):
        if embedded:
            embed(road, "session")
        for recommender in (early, late):  # a page keeps the early one until the model's key changes
            after = [recommender.recommend(recommender.check(HISTORY, query), engine) for query in QUERIES]
            assert [a["items"] for a in after] == [b["items"] for b in before]
            assert [a["history"] for a in after] == [b["history"] for b in before]
            assert after[1]["filter"] == before[1]["filter"]
            assert after[0]["note"].startswith("The index was built from an older training")
            known = recommender.of(find_index(road, NAME))
            assert known.exact(known.encode(HISTORY), 20) == exact
    code, told = cli_here(road.root, "query", "--items", ",".join(HISTORY), "--index", NAME, "--k", "20")
    assert code == 0, told
    assert [i["item_id"] for i in told["items"]] == exact
    build_index(road, IndexConfig(index="FLAT", label="kept"), engine)
    for recommender in (early, late):
        answer = recommender.recommend(recommender.check(["i250"], QUERIES[0]), engine)
        assert [i["item_id"] for i in answer["items"]] == late.now.exact(late.now.encode(["i250"]), 20)
        assert {i["category"] for i in answer["items"]} == {"other"}


def test_one_of_an_earlier_version_names_items_by_its_rows(road: Workspace, engine: MilvusEngine) -> None:
    path = road.stage(index_stage(NAME)) / MANIFEST
    manifest = read_json(path)
    assert manifest is not None
    del manifest["metrics"]["training"]
    write_json(path, manifest)
    early = Recommender(road)
    before = early.recommend(early.check(HISTORY, QUERIES[0]), engine)
    assert before["note"].startswith("searched by brute force")
    _trained_anew(road)
    late = Recommender(road)
    answer = late.recommend(late.check(HISTORY, QUERIES[0]), engine)
    assert answer["note"].startswith("The index was built from an older training of session")
    found = engine.search(find_index(road, NAME)["collection"], late.now.encode(HISTORY), 20, {})
    rows = engine.rows(find_index(road, NAME)["collection"], "id >= 0", ["id", "item_id"])
    names = {row["id"]: row["item_id"] for row in rows}
    assert [i["item_id"] for i in answer["items"]] == [names[key] for key in found.ids[0].tolist()]


def test_a_row_that_comes_while_a_query_is_answered_has_its_own_name(road: Workspace, engine: MilvusEngine) -> None:
    recommender, query = Recommender(road), Query(k=300, index=NAME, filter="popularity >= 0")
    index = find_index(road, NAME)
    request = recommender.check(HISTORY, query)  # before the row comes
    put_rows(road, index, ["late"], 1000 * recommender.now.encode(HISTORY), None, engine)
    answer = recommender.recommend(request, engine)
    assert answer["items"][0]["item_id"] == "late"
    take_out(road, index, ["late"], engine)


def test_vectors_whose_training_is_gone_are_not_indexed(road: Workspace, engine: MilvusEngine) -> None:
    _trained_anew(road)
    with pytest.raises(UserError, match="no longer kept: run `embed --model session`"):
        build_index(road, IndexConfig(index="FLAT", label="gone"), engine)
    assert find_index(road, NAME)["rows"] == 300
