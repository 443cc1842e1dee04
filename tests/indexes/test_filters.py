"""A filter lets through what it says, on real Milvus, and the answer tells how many and how good."""

import json
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from pipeline.core.errors import UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.filters import FilterChoice, compose, read_choice
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Query, Recommender
from pipeline.store.stage import MANIFEST
from pipeline.store.workspace import Workspace, write_json
from tests.conftest import cli_here
from tests.made.road import CATEGORIES, make_road

pytestmark = pytest.mark.milvus
HISTORY = ["i1", "i2", "i3"]
NAME = "items-session-flat"


@pytest.fixture(scope="module")
def shop(served: Workspace, engine: MilvusEngine) -> Recommender:
    make_road(served, items=2000)
    build_index(served, IndexConfig(index="FLAT"), engine)
    return Recommender(served)


def _best(shop: Recommender, allowed: np.ndarray, k: int) -> list[str]:
    """Rank by numpy alone, among the catalogue's rows where `allowed`."""
    scores = np.where(allowed, (shop.now.encode(HISTORY) @ shop.now.encoder.vectors.T)[0], -np.inf)
    return shop.catalogue["item_id"][np.argsort(-scores)[: min(k, allowed.sum())]].to_list()


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("price < 40 and category == 'skirts'", lambda c: (c["price"] < 40) & (c["category"] == "skirts")),
        ("popularity >= 900", lambda c: c["train_clicks"] >= 900),
        (compose(FilterChoice((CATEGORIES[2], "skirts"), 20, 60.5, 10)),
         lambda c: c["category"].is_in([CATEGORIES[2], "skirts"]) & c["price"].is_between(20, 60.5)
         & (c["train_clicks"] >= 10)),
        ('item_id in ["i7", "i8"] or price == 5', lambda c: c["item_id"].is_in(["i7", "i8"]) | (c["price"] == 5)),
        ("not (price < 98)", lambda c: c["price"] >= 98),
    ],
)  # fmt: skip
@pytest.mark.parametrize("exclude_seen", [False, True])
def test_only_what_it_lets_through_comes_back(
    shop: Recommender,
    engine: MilvusEngine,
    expression: str,
    allowed: Callable[[pl.DataFrame], pl.Series],
    exclude_seen: bool,
) -> None:
    mask = allowed(shop.catalogue).to_numpy()
    pool = mask & ~shop.catalogue["item_id"].is_in(HISTORY).to_numpy() if exclude_seen else mask
    query = Query(k=10, index=NAME, exclude_seen=exclude_seen, filter=expression)
    answer = shop.recommend(shop.check(HISTORY, query), engine)
    filtered, found = answer["filter"], [i["item_id"] for i in answer["items"]]
    assert (filtered["matching"], filtered["rows"]) == (mask.sum(), 2000)
    assert filtered["selectivity"] == pytest.approx(mask.sum() / 2000, abs=1e-4)
    assert found == _best(shop, pool, 10)
    assert filtered["recall"] == 1.0


@pytest.mark.parametrize(
    ("index", "lazy", "eager"), [("IVF_FLAT", "nprobe=1", "nprobe=128"), ("HNSW", "ef=50", "ef=2000")]
)
def test_recall_falls_where_the_search_is_lazy(
    shop: Recommender, engine: MilvusEngine, index: str, lazy: str, eager: str
) -> None:
    """These vectors' lengths differ tenfold, which no approximate index likes: the measure must say so."""
    build_index(shop.workspace, IndexConfig(index=index, params="nlist=128" if "IVF" in index else ""), engine)
    best = set(_best(shop, (shop.catalogue["price"] < 90).to_numpy(), 50))
    recalls = []
    for effort in (lazy, eager):
        query = Query(k=50, index=f"items-session-{index.lower()}", search=effort, filter="price < 90")
        answer = shop.recommend(shop.check(HISTORY, query), engine)
        found = {i["item_id"] for i in answer["items"]}
        assert answer["filter"]["recall"] == pytest.approx(len(found & best) / 50, abs=1e-4)
        recalls.append(answer["filter"]["recall"])
    assert recalls[0] < 0.9
    assert recalls[0] < recalls[1]


def test_where_nothing_matches_it_says_so(shop: Recommender, engine: MilvusEngine) -> None:
    answer = shop.recommend(shop.check(HISTORY, Query(index=NAME, filter="price < 0")), engine)
    assert answer["items"] == []
    assert answer["note"].startswith(f"None of the 2,000 rows of {NAME} matches price < 0")
    assert answer["filter"] == {
        "expression": "price < 0", "matching": 0, "rows": 2000, "selectivity": 0.0, "recall": None,
    }  # fmt: skip


def test_the_command_line_filters(shop: Recommender) -> None:
    arguments = ["--items", ",".join(HISTORY), "--index", NAME, "--k", "3", "--exclude-seen"]
    code, answer = cli_here(shop.workspace.root, "query", *arguments, "--filter", "price < 40 and category == 'skirts'")
    assert code == 0
    assert len(answer["items"]) == 3
    assert all(i["price"] < 40 and i["category"] == "skirts" for i in answer["items"])
    assert set(answer["filter"]) == {"expression", "matching", "rows", "selectivity", "recall"}
    code, answer = cli_here(shop.workspace.root, "query", *arguments, "--filter", "prise < 40")
    assert code == 2
    assert "Did you mean price?" in answer["error"]


def test_without_a_filter_there_is_none_in_the_answer(shop: Recommender, engine: MilvusEngine) -> None:
    assert "filter" not in shop.recommend(shop.check(HISTORY, Query(index=NAME)), engine)


def test_a_released_index_is_loaded_for_a_filter(shop: Recommender, engine: MilvusEngine) -> None:
    engine.release(shop.index_in_use(NAME)["collection"])
    assert shop.recommend(shop.check(HISTORY, Query(index=NAME, filter="price < 40")), engine)["items"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("prise < 40", "has no column 'prise': it has item_id, category, popularity, price"),
        ("prise < 40", "Did you mean price?"),
        ("category == skirts", "no column 'skirts': .* a text is written in quotes"),
        ("category == 'skirts", "opens a quote and does not close it"),
        ("price <", "Milvus refused the filter .line 1:7 no viable alternative"),
        ("price", "predicate is not a boolean expression"),
        ("price < 'x'", "comparisons between Double"),
        ("1 == 1", "Milvus refused the filter"),
        ("category in ['a'", "Milvus refused the filter"),
    ],
)
def test_what_cannot_be_read_is_a_short_sentence(
    shop: Recommender, engine: MilvusEngine, expression: str, expected: str
) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        shop.recommend(shop.check(HISTORY, Query(index=NAME, filter=expression)), engine)
    assert len(str(caught.value)) < 330
    assert "\n" not in str(caught.value)


def test_an_index_without_columns_has_to_be_built_again(shop: Recommender) -> None:
    stage = shop.workspace.stage(f"indexes/{NAME}")
    manifest = json.loads((stage / MANIFEST).read_text())
    older = json.loads(json.dumps(manifest))
    del older["metrics"]["columns"]
    write_json(stage / MANIFEST, older)
    try:
        with pytest.raises(UserError, match="built without columns to filter by: build it again"):
            shop.check(HISTORY, Query(index=NAME, filter="price < 40"))
    finally:
        write_json(stage / MANIFEST, manifest)


@pytest.mark.parametrize(
    "choice",
    [
        FilterChoice(),
        FilterChoice(("a",)),
        FilterChoice(("it's", 'so "so"', "é, ]and[", "price >= 3")),
        FilterChoice((), 12.5, 99, 1_234_567),
        FilterChoice(("a", "b"), None, 0.1, None),
    ],
)
def test_an_expression_reads_back_to_its_choice(choice: FilterChoice) -> None:
    assert read_choice(compose(choice)) == choice


@pytest.mark.parametrize("expression", ["price<40", "price < 40 or price > 50", "category in [oops]", "item_id == 'a'"])
def test_what_somebody_wrote_is_no_choice(expression: str) -> None:
    assert read_choice(expression) is None
