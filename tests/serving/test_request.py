"""A query is read and checked once, at the door; what travels on is what it says, whatever the parameters."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from hypothesis import given, settings
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from app import state
from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.filters import UNKNOWN, for_milvus, read_filter
from pipeline.indexes.known import KnownItems
from pipeline.indexes.registry import find_index, list_indexes, use_index
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.embedded.server import connect
from pipeline.search.milvus.client import MilvusEngine
from pipeline.search.params import parse_params, validate_search
from pipeline.serving.recommender import Recommender
from pipeline.serving.request import Query, checked
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace
from tests.calls import counted
from tests.made.road import make_road

pytestmark = pytest.mark.milvus
ITEMS, NAME, HISTORY = 1500, "items-session-hnsw", ["i1", "i2", "i3"]
PAGE = Path(__file__).parents[2] / "pages" / "recommend.py"
READ = (parse_params, validate_search, read_filter, for_milvus, checked, KnownItems.rows_of)
ONCE = Counter(function.__qualname__ for function in READ)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.open(tmp_path_factory.mktemp("request") / "ws")
    make_road(workspace, items=ITEMS)
    return workspace


@pytest.fixture(scope="module")
def engine(road: Workspace) -> Iterator[MilvusEngine]:
    with connect(road, "tests") as connected:
        build_index(road, IndexConfig(), connected)
        yield connected


@pytest.fixture(scope="module")
def shop(road: Workspace, engine: MilvusEngine) -> Recommender:
    return Recommender(road)


@pytest.mark.parametrize("own", [("--search", "ef=150"), ()], ids=["own parameters", "the index's"])
def test_the_command_reads_a_query_once(shop: Recommender, own: tuple[str, ...]) -> None:
    use_index(shop.workspace, NAME, "ef=120")
    words = ["query", "--items", "i1,i2", "--items", "i3", "--filter", "price < 40 or price is null", *own]
    with counted(*READ, list_indexes, KnownItems.encode_rows) as calls:
        ended = CliRunner().invoke(app, [*words, "--workspace", str(shop.workspace.root), "--json"])
    assert ended.exit_code == 0, ended.output
    twice = {"KnownItems.encode_rows": 2}  # it asks twice: the first time is not told
    assert calls == ONCE | {"list_indexes": 1} | twice


@pytest.fixture
def held(shop: Recommender, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the app serve the workspace; what it holds of the server is let go again."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(shop.workspace.root))
    yield
    state.hold().let_go()
    st.cache_resource.clear()


@pytest.mark.usefixtures("held")
def test_the_page_reads_a_query_once_and_encodes_it_once() -> None:
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    for name, value in {"pick": "items", "items": ",".join(HISTORY)}.items():
        page.query_params[name] = value
    for expression in ("", "price <= 40"):
        page.query_params["filter"] = expression
        with counted(*READ, KnownItems.encode_rows) as calls:
            page.run()
        assert not page.exception
        assert not page.error
        assert any(text.value.startswith("**Recommended**") for text in page.markdown)
        filters = {} if expression else {"read_filter": 0, "for_milvus": 0}
        assert calls == Counter(ONCE | {"KnownItems.encode_rows": 1} | filters)


def test_asking_reads_nothing(shop: Recommender, engine: MilvusEngine) -> None:
    request = shop.check(HISTORY, Query(k=20, index=NAME, exclude_seen=True, filter="price < 40", search="ef=64"))
    assert (request.history, request.clicks) == (tuple(HISTORY), (1, 2, 3))
    assert (request.k, request.fetch, request.search) == (20, 23, {"ef": 64})
    assert request.where == for_milvus("price < 40", UNKNOWN)
    with counted(*READ, list_indexes) as calls:
        answer = shop.recommend(request, engine)
    assert len(answer["items"]) == 20
    assert not calls


@settings(max_examples=100, deadline=None)
@given(
    k=some.integers(-1, ITEMS + 1),
    ef=some.integers(0, 2000),
    given_ef=some.booleans(),
    seen=some.lists(some.integers(0, ITEMS + 20).map(lambda n: f"i{n}"), min_size=1, max_size=30),
    exclude=some.booleans(),
)
def test_a_request_holds_or_there_is_none(
    shop: Recommender, k: int, ef: int, given_ef: bool, seen: list[str], exclude: bool
) -> None:
    """What is served with is raised to what is asked for; what a person writes is kept, or refused."""
    kind, build = CATALOGUE["HNSW"], find_index(shop.workspace, NAME)["params"]
    use_index(shop.workspace, NAME, f"ef={max(ef, 1)}")
    query = Query(k=k, index=NAME, exclude_seen=exclude, search=f"ef={ef}" if given_ef else "")
    known = [int(item[1:]) for item in seen if item in shop.now.rows]
    fetch = min(k + (len(set(known)) if exclude else 0), ITEMS)
    if not 1 <= k <= ITEMS or not known or (given_ef and ef < fetch):
        with pytest.raises(UserError):
            shop.check(seen, query)
        return
    request = shop.check(seen, query)
    assert request.fetch == fetch
    assert request.clicks == tuple(known)[-20:]
    assert request.search == {"ef": ef if given_ef else max(ef, 1, fetch)}
    assert validate_search(kind, build, request.search, request.fetch) == request.search
