"""The Workspaces page as a person uses it: made, copied, opened, deleted with undo; two tabs in two workspaces."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.store.workspace import Workspace
from pipeline.workspaces.places import names
from tests.browser.conftest import serve, settled

pytestmark = pytest.mark.browser


def test_workspaces_are_looked_after(browser: Browser, tmp_path: Path) -> None:
    root = tmp_path / "mine"
    ingest(Workspace.open(root), ClickSource("shop:200"))
    process, address = serve(root)
    try:
        page = browser.new_context(base_url=address).new_page()
        page.goto("/workspaces")
        settled(page)
        page.get_by_label("A new workspace").fill("second one")
        page.get_by_role("button", name="Create and open").click()
        expect(page.get_by_text("A workspace cannot be called 'second one'")).to_be_visible()
        page.get_by_label("A new workspace").fill("second")
        page.get_by_role("button", name="Create and open").click()
        page.wait_for_url(re.compile("workspace=second"))
        settled(page)
        page.get_by_role("link", name="Data").click()
        page.wait_for_url(re.compile("data.*workspace=second"))
        expect(page.get_by_text(re.compile("There are no clicks yet"))).to_be_visible()

        other = page.context.new_page()  # without a name: the one that the app starts with
        other.goto("/data")
        settled(other)
        expect(other.get_by_text("Read last: shop:200")).to_be_visible()
        other.goto("/data?workspace=second")
        settled(other)
        expect(other.get_by_text(re.compile("There are no clicks yet"))).to_be_visible()

        page.goto("/workspaces?workspace=mine")
        settled(page)
        page.get_by_role("button", name="More").first.click()
        page.get_by_label("Copy it under another name").fill("copy")
        page.get_by_role("button", name="Duplicate").click()
        expect(page.get_by_text("copy", exact=True).first).to_be_visible(timeout=60_000)
        assert "copy" in names(root)

        settled(page)
        page.get_by_role("button", name="More").last.click()  # of 'second', as they stand in the order of their names
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("“second” is deleted.")).to_be_visible(timeout=60_000)
        other.reload()
        settled(other)
        expect(other.get_by_text(re.compile("There is no workspace “second”"))).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("“second” is deleted.")).to_have_count(0)
        expect(page.get_by_text("second", exact=True).first).to_be_visible()
        assert set(names(root)) == {"mine", "copy", "second"}
        page.context.close()
    finally:
        process.terminate()
        process.wait(20)
