"""A real Chromium on a real app over a real workspace."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.bench.runs import Recorder
from pipeline.core.project import PROJECT
from pipeline.store.workspace import Workspace
from tests.browser.benchmarked import points
from tests.conftest import Road, copy_of, wait_for
from tests.made.points import point

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
expect.set_options(timeout=30_000)  # parts of a page are loaded when they are needed, on a machine that others use


def chromium() -> str:
    """Find the browser that the machine has."""
    found = next((p for p in ("chromium", "chromium-browser", "google-chrome") if shutil.which(p)), None)
    assert found, "no Chromium: install Debian's package chromium"
    return str(shutil.which(found))


def serve(workspace: Path, script: str = "app/main.py") -> "tuple[subprocess.Popen[bytes], str]":
    """Start the app, or another script, on a free port and wait until it answers; give its process and address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    process = subprocess.Popen(
        command, cwd=PROJECT, env=os.environ | {"CLICK_ROAD_WORKSPACE": str(workspace)}, stdout=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"

    def healthy() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    wait_for(healthy, 60, "the app to answer")
    return process, address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def shop(road: Road, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Copy the road, so that what is trained and built from the pages stays among these tests."""
    return copy_of(road, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def app(shop: Workspace) -> Iterator[str]:
    process, address = serve(shop.root)
    yield address
    process.terminate()
    process.wait(20)


@pytest.fixture
def page(browser: Browser, app: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=app)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give a workspace with one run, and no model: the page needs none."""
    workspace = Workspace.open(tmp_path_factory.mktemp("measured") / "ws")
    with Recorder(workspace, "at-rates") as run:  # before 'mine', which is the newest
        run.begin({}, {"cores": 2}, {}, 0, 2)
        for rate, qps in ((50.0, 50.0), (200.0, 120.0)):
            run.add(point(0.97, qps, loop="open", rate=rate))
    with Recorder(workspace, "mine") as run:
        rows = list(points())
        run.begin({"preset": "quick"}, {"cpu": "a processor", "cores": 2}, {"milvus": "2.3.5"}, 7, len(rows))
        for row in rows:
            run.add(row)
    return workspace


@pytest.fixture(scope="module")
def bench(measured: Workspace) -> Iterator[str]:
    process, address = serve(measured.root)
    yield address
    process.terminate()
    process.wait(20)


@pytest.fixture
def bench_page(browser: Browser, bench: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1400}, base_url=bench, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()


def settled(page: Page) -> None:
    """Wait until the page's script has ended and nothing changes."""
    page.wait_for_selector("h1")
    page.wait_for_timeout(300)  # by then a click's script says that it runs, on an idle machine: assert by `expect`
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector("[data-testid=stStatusWidget]", state="detached")


def laid_out(page: Page) -> list[str]:
    """List what is laid out badly: a page that scrolls sideways, a figure's title that is cut or under Plotly's bar."""
    return list(page.evaluate(_LAID_OUT))


_LAID_OUT = """() => {
  const main = document.querySelector('[data-testid=stMain]'), found = [];
  const wide = main.scrollWidth - main.clientWidth;
  if (wide > 1) found.push(`scrolls sideways by ${wide} px`);
  const plots = main.querySelectorAll('.js-plotly-plot').length, titles = [...main.querySelectorAll('.road-title')];
  if (plots > titles.length) found.push(`${plots} figures, ${titles.length} titles`);
  for (const title of titles) {
    const plot = title.closest('[data-testid=stVerticalBlock]').querySelector('.js-plotly-plot');  // it loads later
    const box = title.getBoundingClientRect(), letters = document.createRange();
    letters.selectNodeContents(title);
    const lines = new Set([...letters.getClientRects()].map(line => Math.round(line.top)));
    const widest = Math.max(...[...letters.getClientRects()].map(line => line.width));
    if (!plot || !plot.querySelector('.modebar') || !lines.size) continue;
    const figure = plot.getBoundingClientRect(), bar = plot.querySelector('.modebar').getBoundingClientRect();
    if (box.width > figure.width + 1) found.push(`'${title.textContent}' is wider than its figure`);
    if (lines.size > 1 && widest < 0.5 * figure.width) found.push(`'${title.textContent}' wraps at half of its figure`);
    if (bar.height && box.bottom > bar.top + 1) found.push(`'${title.textContent}' lies under Plotly's bar`);
    const own = plot.querySelector('.gtitle');
    if (own && own.getBoundingClientRect().width) found.push(`'${title.textContent}' is written twice`);
  }
  return found;
}"""
