"""Print page times in headless Chromium: first paint after `streamlit run`, and each page from click to settled.

Settled: no running status, and no change of the document for 200 ms (taken off). Median of 10, shop's workspace, with a
benchmark run of 2,000 made-up points.
"""

import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from app.routes import PAGES
from pipeline.bench.runs import Recorder
from pipeline.core.text import duration
from pipeline.store.workspace import Workspace
from tests.browser.conftest import chromium, serve
from tests.conftest import run_pipeline
from tests.made.points import point

TIMES, PAINTS = 10, 5
POINTS = 2000
GOAL_MS, GOALS_MS = 500, {"benchmark": 1000}
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


def _add_points(root: Path) -> None:
    """Make up a run of four index types, most of whose points others beat, as they are in a sweep."""
    random = np.random.default_rng(0)
    with Recorder(Workspace.open(root), "two-thousand") as run:
        run.begin({}, {"cores": 2}, {}, 0, POINTS)
        for n in range(POINTS):
            index = ("HNSW", "IVF_FLAT", "IVF_SQ8", "IVF_PQ")[n % 4]
            chosen = ({"M": 8 + n % 40}, {"ef": 100 + n}) if index == "HNSW" else ({"nlist": 32 + n}, {"nprobe": 1 + n})
            recall, qps = 1 - abs(random.normal(0, 0.05)), np.exp(random.normal(7, 0.6))
            run.add(point(float(recall), float(qps), *chosen, index=index))


def _workspace(folder: Path) -> Path:
    """Copy the workspace that is named first, or make one; the run is added to it."""
    root = folder / "ws"
    if len(sys.argv) > 1:
        shutil.copytree(sys.argv[1], root, symlinks=True)
    else:
        run_pipeline(root, "--clicks", "shop")
    _add_points(root)
    return root


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = _workspace(Path(folder))
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
        goal = GOALS_MS.get(name, GOAL_MS)
        print(f"{name:<10} {statistics.median(found):5.0f} ms   worst {max(found):5.0f} ms   (goal {goal} ms)")


if __name__ == "__main__":
    main()
