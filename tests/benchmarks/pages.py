"""Print page times in headless Chromium: first paint after `streamlit run`, and each page from click to settled.

Settled: no running status, and no change of the document for 200 ms (taken off). Median of 10, e-shop workspace.
"""

import os
import platform
import re
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from app.routes import PAGES
from pipeline.text import duration
from tests.browser.conftest import chromium, serve
from tests.conftest import run_road

TIMES, PAINTS = 10, 5
VIEWPORT: ViewportSize = {"width": 1440, "height": 1000}
QUIET_MS = 200
_SETTLED = """(quiet) => new Promise(done => {
  const running = () => document.querySelector('[data-testid=stStatusWidget]');
  let last = performance.now();
  new MutationObserver(() => { last = performance.now(); }).observe(document.body,
    {subtree: true, childList: true, characterData: true, attributes: true});
  const look = () => {
    if (running()) last = performance.now();
    if (performance.now() - last > quiet) done(last); else setTimeout(look, 10);
  };
  look();
})"""


def _visit(page: Page, name: str, title: str) -> float:
    """Click on a page's link; give the milliseconds until it is settled."""
    link = page.get_by_test_id("stSidebarNavLink").filter(has_text=title)
    before = page.evaluate("() => performance.now()")
    link.click()
    page.wait_for_url(re.compile(r":\d+/(\?|$)" if name == "overview" else f"/{name}"))
    return float(page.evaluate(_SETTLED, QUIET_MS)) - float(before)


def _first_paint(browser: Browser, root: Path, script: str) -> float:
    """Start `streamlit run SCRIPT`; give the seconds until a new visitor sees its title."""
    begin = time.monotonic()
    process, address = serve(root, script)
    page = browser.new_page(viewport=VIEWPORT)
    page.goto(address)
    page.wait_for_selector("h1")
    seconds = time.monotonic() - begin
    page.close()
    process.terminate()
    process.wait(20)
    return seconds


def main() -> None:
    """Measure and print."""
    given = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(given) if given else run_road(Path(folder) / "ws", "--clicks", "eshop").workspace.root
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        empty = Path(folder) / "empty.py"
        empty.write_text("import streamlit as st\nst.title('empty')\n")
        paints: dict[str, list[float]] = {str(empty): [], "app/main.py": []}
        for _ in range(PAINTS):
            for script, found in paints.items():
                found.append(_first_paint(browser, root, script))
        process, address = serve(root)
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(address)
        page.wait_for_selector("h1")
        page.wait_for_timeout(15_000)  # Milvus starts beside
        times: dict[str, list[float]] = {name: [] for name in PAGES}
        for _ in range(TIMES):
            for name, found in times.items():
                found.append(_visit(page, name, PAGES[name][0]))
        browser.close()
        process.terminate()
        process.wait(20)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Streamlit {version('streamlit')}")
    floor, ours = (statistics.median(found) for found in paints.values())
    print(f"first paint after `streamlit run`: {duration(ours)} (median of {PAINTS}, goal 3 s);")
    print(f"a script with a title only, in the same run: {duration(floor)}, so {ours / floor:.2f} times")
    for name, found in times.items():
        print(f"{name:<10} {statistics.median(found):5.0f} ms   worst {max(found):5.0f} ms   (goal 500 ms)")


if __name__ == "__main__":
    main()
