"""Every page draws, for one visitor or several, on a phone and at a desk, and says what to press where nothing is."""

import os
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from app.routes import PAGES
from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.jobs.job import CANCELLED, create
from pipeline.store.workspace import Workspace, write_json
from tests.browser.access import STREAMLITS, findings
from tests.browser.conftest import laid_out, serve, settled
from tests.browser.steps import ERRORS, LOOKS

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]

AXE = ((390, "light"), (1440, "dark"))  # what axe-core looks at: it takes a second or two a page


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_draws_without_error_or_overflow(
    browser: Browser, app: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        base_url=app,
    )
    opened = context.new_page()
    foreign: list[str] = []
    opened.on("request", lambda r: foreign.append(r.url) if not r.url.startswith((app, "data:", "blob:")) else None)
    for name in PAGES:
        opened.goto("/" if name == "overview" else f"/{name}")
        settled(opened)
        expect(opened.locator("h1"), name).to_have_text(re.compile(r"\?$"))
        assert opened.locator(ERRORS).count() == 0, (name, opened.locator(ERRORS).all_inner_texts())
        assert laid_out(opened) == [], name
        if (width, scheme) in AXE:
            assert findings(opened) == [], name
    assert not [url for url in foreign if not url.startswith(app.replace("http", "ws"))]
    context.close()


_FAINT = """() => {
  for (let e = document.activeElement, n = 0; e && n < 4; e = e.parentElement, n++) {
    const style = getComputedStyle(e);
    if (style.outlineStyle == 'solid' && parseFloat(style.outlineWidth) >= 2) return '';
  }
  return document.activeElement.outerHTML.slice(0, 200);
}"""


def test_streamlits_own_findings_grow_no_more() -> None:
    assert sum(map(len, STREAMLITS.values())) <= 2


def test_what_the_keyboard_is_at_is_seen(page: Page) -> None:
    page.goto("/recommend")
    settled(page)
    faint = []
    for _ in range(12):
        page.keyboard.press("Tab")
        faint += [found] if (found := page.evaluate(_FAINT)) else []
    assert not faint


def test_an_empty_workspace_says_what_to_press(browser: Browser, tmp_path) -> None:  # type: ignore[no-untyped-def]
    process, address = serve(tmp_path / "ws")
    try:
        opened = browser.new_context(base_url=address).new_page()
        opened.goto("/")
        settled(opened)
        expect(opened.get_by_role("button", name="Run the demo")).to_be_visible()
        for name, words in (("train", "no sessions"), ("index", "no vectors"), ("recommend", "need a trained model")):
            opened.goto(f"/{name}")
            settled(opened)
            expect(opened.get_by_text(re.compile(words))).to_be_visible()
        opened.context.close()
    finally:
        process.terminate()
        process.wait(20)


def _many(browser: Browser, app: str, count: int) -> None:
    """Open many visitors at once on one app; each keeps its own session."""
    contexts = [browser.new_context(base_url=app) for _ in range(count)]
    pages = [context.new_page() for context in contexts]
    for n, opened in enumerate(pages):
        opened.goto(f"/recommend?session={2725 + n}", wait_until="commit")
    for n, opened in enumerate(pages):
        opened.set_default_timeout(120_000)
        settled(opened)
        expect(opened.get_by_label("Session id", exact=True)).to_have_value(str(2725 + n), timeout=60_000)
        assert opened.locator("[data-testid=stException]").count() == 0
    for context in contexts:
        context.close()


def test_a_figure_keeps_its_title_in_fullscreen(page: Page) -> None:
    page.goto("/train")
    settled(page)
    title = page.locator(".road-title").first
    page.locator(".js-plotly-plot").first.hover()
    page.get_by_role("button", name="Fullscreen").first.click()
    expect(page.get_by_role("button", name="Close fullscreen")).to_be_visible()
    expect(title).to_be_in_viewport()
    over = (
        "e => { const b = e.getBoundingClientRect(); return document.elementFromPoint(b.left + 9, b.top + 9) === e; }"
    )
    assert title.evaluate(over)
    assert laid_out(page) == []


def test_while_a_job_makes_what_is_missing_every_page_says_so_and_then_shows_it(
    browser: Browser, tmp_path: Path
) -> None:
    process, address = serve(tmp_path / "ws")
    try:
        workspace = Workspace.open(tmp_path / "ws")
        job, alive = create(workspace, "run on a log", "python -m pipeline run --clicks synthetic:200")
        write_json(job.folder / "progress.json", {"stage": "ingest", "step": 1, "steps": 8, "fraction": 0.05})
        (job.folder / "started").touch()
        opened = browser.new_context(base_url=address).new_page()
        for name, words in (("train", "splits"), ("index", "computes"), ("recommend", "trains"), ("map", "trains")):
            opened.goto(f"/{name}")
            expect(opened.get_by_text(f"The job below {words}")).to_be_visible()
        opened.goto("/")
        expect(opened.get_by_text("being made")).to_have_count(6)
        opened.goto("/data")
        main = opened.get_by_test_id("stMain")
        expect(main.get_by_text("The job below reads the clicks")).to_be_visible()
        expect(main.get_by_text("ingest · step 1 of 8")).to_be_visible()
        expect(main.get_by_text("There are no clicks yet")).to_have_count(0)
        ingest(workspace, ClickSource("synthetic:200"))
        write_json(job.folder / "progress.json", {"stage": "preprocess", "step": 2, "steps": 8, "fraction": 0.2})
        expect(main.get_by_text("Read last: synthetic:200")).to_be_visible()
        expect(main.get_by_text("The job below splits the clicks")).to_be_visible()
        write_json(job.folder / "end.json", {"state": "cancelled", "code": 130, "error": CANCELLED, "ended": 0.0})
        os.close(alive)
        expect(main.get_by_text("The job below")).to_have_count(0)
        opened.context.close()
    finally:
        process.terminate()
        process.wait(20)


def test_two_visitors_at_once(browser: Browser, app: str) -> None:
    _many(browser, app, 2)


@pytest.mark.long
def test_many_visitors_at_once(browser: Browser, app: str) -> None:
    _many(browser, app, 12)
