"""The Data page as a person uses it: clicks are sent from the browser, or fetched."""

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from pipeline.store.workspace import Workspace
from tests.browser.conftest import serve, settled
from tests.conftest import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]


def test_clicks_are_sent_from_the_browser_or_fetched(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICK_ROAD_DATA", str(tmp_path / "data"))
    sent = tmp_path / "my clicks.zip"
    with zipfile.ZipFile(sent, "w") as archive:
        archive.writestr("clicks.csv", "session,time,item\n1,2014-04-07,a\n1,2014-04-08,b\n2,2014-04-08,a\n")
    process, address = serve(tmp_path / "ws")
    try:
        opened = browser.new_context(base_url=address).new_page()
        opened.goto("/data?data=eshop")
        settled(opened)
        expect(opened.get_by_role("button", name="Download and run the whole pipeline")).to_be_enabled()
        expect(opened.get_by_text("Licence: CC BY 4.0.")).to_be_visible()
        opened.goto("/data?data=file")
        settled(opened)
        expect(opened.get_by_text("Upload a file of clicks, up to 500 MB")).to_be_visible()
        opened.locator("input[type=file]").first.set_input_files(sent)
        expect(opened.get_by_role("button", name="Only read the clicks")).to_be_enabled()
        opened.get_by_role("button", name="Only read the clicks").click()
        expect(opened.get_by_text("From 2014-04-07").or_(opened.get_by_text("Columns taken"))).to_be_visible()
        uploads = tmp_path / "ws" / "uploads"
        assert [path.read_bytes() for path in uploads.glob("*/my_clicks.zip")] == [sent.read_bytes()]
        other = browser.new_context(base_url=address).new_page()
        other.goto("/data?data=file")
        for name, content in (("../../my clicks.zip", b"another's"), ("empty.csv", b"")):
            settled(other)  # a file sent while the page still draws the one before can be lost in the browser
            other.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": "", "buffer": content})
            wait_for(
                lambda held=content: held in [p.read_bytes() for p in uploads.glob("*/*")], 20, f"{name} to be kept"
            )  # type: ignore[misc]
            expect(other.get_by_role("button", name="Only read the clicks")).to_be_disabled()
        assert sorted(p.name for p in uploads.glob("*/*")) == ["empty.csv", "my_clicks.zip", "my_clicks.zip"]
        assert not list(tmp_path.glob("my*clicks.zip.*"))
        other.context.close()
        opened.context.close()
    finally:
        process.terminate()
        process.wait(20)


def test_columns_are_confirmed_and_what_is_kept_is_told_before_and_after(browser: Browser, tmp_path: Path) -> None:
    log = tmp_path / "visits.csv"
    rows = [
        f"u{user},2024-03-{1 + 2 * visit:02}T10:{step:02}:00Z,i{(user + step) % 7}"
        for user in range(12)
        for visit in range(5)
        for step in range(2 + (user + visit) % 3)
    ]
    log.write_text("\n".join(["who,when,what", *rows, "u1,yesterday,i1"]) + "\n")
    process, address = serve(tmp_path / "ws")
    try:
        page = browser.new_context(base_url=address).new_page()
        page.goto("/data?data=file")
        settled(page)
        page.get_by_role("textbox", name="Or a path on this machine").fill(str(log))
        page.get_by_role("textbox", name="Or a path on this machine").press("Enter")
        expect(page.get_by_text("is the session is not clear: choose above which column is what")).to_be_visible()
        expect(page.get_by_role("button", name="Run the whole pipeline")).to_be_disabled()
        for label, column in (("session or user", "who"), ("time", "when"), ("item", "what")):
            box = page.get_by_role("combobox", name=re.compile(label)).first
            box.fill(column)
            box.press("Enter")
            settled(page)
        page.get_by_text("That column has users, not sessions").click()
        expect(page.get_by_text("12 users and 7 items")).to_be_visible()
        expect(page.get_by_text("1 row cannot be read")).to_be_visible()
        page.get_by_text("How it is written, and what is known of its items").click()
        page.get_by_role("spinbutton", name="Unreadable rows to skip at most").fill("1")
        page.get_by_role("spinbutton", name="Unreadable rows to skip at most").press("Enter")
        settled(page)
        page.get_by_role("button", name="Only read the clicks").click()
        expect(page.get_by_text("The clicks of 12 users are cut into 60 sessions")).to_be_visible(timeout=60_000)
        page.goto("/data?data=file&min_session_length=3&max_session_length=9")
        settled(page)
        expect(page.get_by_text(re.compile("clicks are kept of 180"))).to_be_visible()
        told = page.get_by_text(re.compile("clicks are kept of 180")).inner_text()
        page.get_by_role("button", name="Preprocess", exact=True).click()
        expect(page.get_by_text("What each step dropped, and why")).to_be_visible(timeout=60_000)
        metrics = (Workspace.open(tmp_path / "ws").manifest("data") or {})["metrics"]
        assert f"{metrics['train_sessions']} sessions to train on, {metrics['test_sessions']} to test with" in told
        assert f"{metrics['steps'][-1]['clicks']} clicks" in told
        expect(
            page.locator(".road-title", has_text=re.compile("The last .* % of the sessions are for testing"))
        ).to_be_visible()
        page.context.close()
    finally:
        process.terminate()
        process.wait(20)
