"""The Data page as a person uses it: clicks are sent from the browser, or fetched."""

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

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
        opened.locator("input[type=file]").set_input_files(sent)
        expect(opened.get_by_role("button", name="Only read the clicks")).to_be_enabled()
        opened.get_by_role("button", name="Only read the clicks").click()
        expect(opened.get_by_text("From 2014-04-07").or_(opened.get_by_text("Columns taken"))).to_be_visible()
        uploads = tmp_path / "ws" / "uploads"
        assert [path.read_bytes() for path in uploads.glob("*/my_clicks.zip")] == [sent.read_bytes()]
        other = browser.new_context(base_url=address).new_page()
        other.goto("/data?data=file")
        settled(other)
        for name, content in (("../../my clicks.zip", b"another's"), ("empty.csv", b"")):
            other.locator("input[type=file]").set_input_files({"name": name, "mimeType": "", "buffer": content})
            expect(other.get_by_role("button", name="Only read the clicks")).to_be_enabled()
            wait_for(
                lambda held=content: held in [p.read_bytes() for p in uploads.glob("*/*")], 20, f"{name} to be kept"
            )  # type: ignore[misc]
        assert sorted(p.name for p in uploads.glob("*/*")) == ["empty.csv", "my_clicks.zip", "my_clicks.zip"]
        assert not list(tmp_path.glob("my*clicks.zip.*"))
        other.context.close()
        opened.context.close()
    finally:
        process.terminate()
        process.wait(20)
