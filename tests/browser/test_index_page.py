"""The Index page as a person uses it: build, compare, drop, and what cannot be had here."""

import re

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from app.parts import terms
from pipeline.indexes.registry import index_in_use, list_indexes
from pipeline.store.workspace import Workspace
from tests.browser.conftest import settled
from tests.browser.steps import PATIENCE_S, job_done
from tests.conftest import cli, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]


@pytest.mark.parametrize("width", [960, 390])
def test_the_table_of_indexes_shows_all_its_columns_at_150_percent_and_on_a_phone(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/index")
    settled(page)
    table = page.locator(".road-wide").first
    expect(table.locator("td", has_text="$").first).to_be_visible()
    assert table.evaluate("table => table.scrollWidth - table.clientWidth") <= 1


def test_build_an_index_from_the_page(page: Page, shop: Workspace) -> None:
    before = index_in_use(shop, "session")["name"]
    page.goto("/index?type=IVF_FLAT")
    settled(page)
    page.get_by_label("nlist", exact=True).fill("16")
    page.get_by_label("nlist", exact=True).press("Enter")
    settled(page)
    page.get_by_role("button", name=re.compile("Build IVF_FLAT")).click()
    wait_for(lambda: job_done(shop, "build IVF_FLAT of items"), PATIENCE_S, "building from the page")
    expect(page.get_by_text("Nothing is running.")).to_be_visible()
    assert (shop.manifest("indexes/items-session-ivf_flat") or {})["metrics"]["params"] == {"nlist": 16}
    expect(page.get_by_role("button", name="Use items-session-ivf_flat")).to_be_visible()
    assert index_in_use(shop, "session")["name"] == before  # until the newer one is chosen


def test_without_a_gpu_it_says_what_is_missing_and_shows_what_was_published(page: Page) -> None:
    page.goto("/index?device=gpu")
    settled(page)
    expect(page.get_by_text("No server with a GPU is known")).to_be_visible()
    expect(page.get_by_text("published 2023").first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Build "))).to_have_count(0)


def test_a_server_that_does_not_answer_is_a_sentence(page: Page, shop: Workspace) -> None:
    page.goto("/index")
    settled(page)
    page.get_by_text("Add a server of your own").click()
    page.get_by_label("Name", exact=True).fill("mine")
    page.get_by_label("URI", exact=True).fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_text(re.compile("does not answer")).first).to_be_visible(timeout=60_000)
    assert not list((shop.root / "servers").glob("*.json"))


@pytest.fixture
def ivf_flat(shop: Workspace) -> str:
    """Give an index beside the one that serves, built where no test has built it."""
    name = "items-session-ivf_flat"
    if name not in [row["name"] for row in list_indexes(shop)]:
        build = ("index", "build", "--index", "IVF_FLAT", "--build", "nlist=16", "--wait")
        assert cli(shop.root, *build)[0] == 0
    return name


def _choose_index(page: Page, name: str) -> None:
    """Choose a built index, beside those that are chosen."""
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.usefixtures("ivf_flat")
def test_two_indexes_are_compared_on_the_same_queries(page: Page, shop: Workspace) -> None:
    names = [row["name"] for row in list_indexes(shop)]
    pair = [name for name in names if name.startswith("items-")][:2]
    assert len(pair) == 2, names
    page.goto("/index")
    settled(page)
    _choose_index(page, pair[0])
    expect(page.get_by_role("button", name="Use this index")).to_be_visible()
    _choose_index(page, pair[1])
    expect(page.get_by_text(re.compile(r"100 % of the 10 nearest are the same"))).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile("Measured now: recall on the same 200 queries"))).to_be_visible()
    catalogue = pl.read_parquet(shop.stage("models/session") / "items.parquet")
    named = set(terms.names(catalogue).values())
    exact = page.locator("td[data-column=exact]").all_inner_texts()
    assert len(exact) == 10
    assert set(exact) <= named
    assert not set(exact) & set(catalogue["item_id"].cast(pl.String))
    page.goto(page.url)  # as somebody who is given the link
    expect(page.get_by_text(re.compile(r"100 % of the 10 nearest are the same"))).to_be_visible(timeout=60_000)


def test_a_dropped_index_comes_back_until_it_is_confirmed(page: Page, shop: Workspace, ivf_flat: str) -> None:
    names = [row["name"] for row in list_indexes(shop)]
    page.goto("/index")
    settled(page)
    _choose_index(page, ivf_flat)
    page.get_by_role("button", name=re.compile("Drop$")).click()
    expect(page.get_by_text("until you confirm")).to_be_visible()
    assert ivf_flat not in [row["name"] for row in list_indexes(shop)]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("until you confirm")).to_have_count(0)
    assert names == [row["name"] for row in list_indexes(shop)]
