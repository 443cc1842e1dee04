"""Take the pictures in docs/screens on the workspace that is named first: of the pages named after it, or of all."""

import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from app.routes import PAGES
from pipeline.core.project import PROJECT
from tests.browser.conftest import chromium, serve, settled

LINKS = {
    "recommend": "recommend?session=37412&after=4",
    "map": "map?session=37412",
    "overview": "",
    "serve": "serve?list=score",
}
MODES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    """Write docs/screens/PAGE-MODE.png, light and dark."""
    process, address = serve(Path(sys.argv[1]))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        for mode in MODES:
            page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=mode)
            for name in sys.argv[2:] or PAGES:
                page.goto(f"{address}/{LINKS.get(name, name)}")
                settled(page)
                page.wait_for_timeout(30_000 if name == "recommend" and mode == "light" else 1500)  # Milvus starts
                height = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
                page.set_viewport_size({"width": 1280, "height": max(860, min(int(height), 1700))})
                page.wait_for_timeout(800)
                page.screenshot(path=PROJECT / "docs" / "screens" / f"{name}-{mode}.png")
                page.set_viewport_size({"width": 1280, "height": 860})
        browser.close()
    process.terminate()
    process.wait(20)


if __name__ == "__main__":
    main()
