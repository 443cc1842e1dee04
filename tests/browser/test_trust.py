"""What a page says is so: what is stale is called stale, a refusal is shown where it happened, a click is one click."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.store.workspace import Workspace
from tests.browser.conftest import settled
from tests.browser.steps import ERRORS
from tests.conftest import cli

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]


def test_when_only_the_clicks_are_read_every_page_says_what_is_stale_and_the_index_still_answers(
    page: Page, shop: Workspace
) -> None:
    clicks = (shop.manifest("clicks") or {})["config"]["clicks"]
    assert cli(shop.root, "ingest", "--clicks", "synthetic:3000", "--wait")[0] == 0  # with ids of the shop's sessions
    try:
        for path in ("/", "/data", "/train", "/index", "/map", "/recommend"):
            page.goto(path)
            settled(page)
            expect(page.get_by_text("Out of date since other clicks were read").first).to_be_visible()
            expect(page.get_by_role("button", name="Refresh", exact=True).first).to_be_enabled()
            expect(page.get_by_text("Everything is ready")).to_have_count(0)
            assert page.locator(ERRORS).count() == 0, (path, page.locator(ERRORS).all_inner_texts())
        expect(page.get_by_label("Session id", exact=True)).to_have_value("")  # none can be answered: not an error
        page.goto("/recommend?items=A508")
        expect(page.locator(".road-card")).to_have_count(1 + 10, timeout=90_000)
    finally:
        assert cli(shop.root, "ingest", "--clicks", clicks, "--wait")[0] == 0
    page.goto("/")
    expect(page.get_by_text("Everything is ready")).to_be_visible()


def test_what_a_job_refuses_is_said_below_its_button_until_it_is_dismissed(page: Page, tmp_path: Path) -> None:
    page.goto("/data?data=file")
    settled(page)
    path, button = (
        page.get_by_role("textbox", name="Or a path on this machine"),
        page.get_by_role("button", name="Only read the clicks"),
    )
    path.fill("/nowhere.csv")
    path.press("Enter")
    expect(page.get_by_text("There is no file /nowhere.csv.")).to_be_visible()
    expect(button).to_be_disabled()
    log = tmp_path / "log.csv"
    log.write_text("session,time,item\n1,2014-04-07,a\n1,2014-04-08,b\n2,yesterday,a\n")
    path.fill(str(log))
    path.press("Enter")
    expect(button).to_be_enabled()
    button.click()
    said = page.get_by_test_id("stMain").get_by_text("leave 1 row out with --bad-rows 1")
    expect(said).to_be_visible(timeout=60_000)
    assert _top(button) < _top(said)
    page.get_by_role("link", name="Map").click()  # where that button is not
    expect(page.locator("h1")).to_contain_text("similar")
    expect(said).to_be_visible()
    assert _top(said) < _top(page.locator("h1"))
    page.get_by_role("button", name="Dismiss").click()
    expect(said).to_have_count(0)


def _top(part: Locator) -> float:
    box = part.bounding_box()
    assert box is not None
    return box["y"]


def test_a_session_is_built_click_by_click(page: Page) -> None:
    page.goto("/recommend?pick=items")
    box = page.get_by_role("combobox", name="Add an item")
    clicks = page.get_by_role("radiogroup", name="Clicks so far").get_by_role("radio")
    for clicked in (1, 2):  # several items match, Enter adds one; the same may be clicked again
        box.click()
        box.fill("skirt")
        expect(page.get_by_role("option").nth(1)).to_be_visible()
        box.press("Enter")
        expect(clicks).to_have_count(clicked)
    page.wait_for_url(re.compile(r"items=(\w+)(,|%2C)\1(&|$)"))
    clicks.last.click()
    expect(clicks).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(clicks).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    expect(clicks).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(clicks).to_have_count(2)
