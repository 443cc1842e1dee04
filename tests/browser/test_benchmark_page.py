"""The Benchmark page as a person uses it: read the answer, change the wish, click on a point."""

import itertools
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from app.benchmark.views import RATES, VIEWS
from pipeline.figures.figure import SAVED_WIDTH
from tests.browser.conftest import laid_out, settled
from tests.browser.steps import ERRORS, LOOKS
from tests.conftest import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture
def page(bench_page: Page) -> Page:
    return bench_page


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_view_draws_without_error_or_overflow(
    browser: Browser, bench: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=bench)
    opened = context.new_page()
    foreign: list[str] = []
    opened.on("request", lambda r: foreign.append(r.url) if not r.url.startswith((bench, "data:", "blob:")) else None)
    for view in (*VIEWS, "Published study"):
        opened.goto(f"/benchmark?view={view.replace(' ', '+')}&qps=20000")
        settled(opened)
        if view != RATES:  # 'mine' has none
            expect(opened.locator(".js-plotly-plot").first).to_be_visible(timeout=60_000)
        assert opened.locator(ERRORS).count() == 0, (view, opened.locator(ERRORS).all_inner_texts())
        assert opened.locator(".katex").count() == 0, f"{view}: two prices were taken for a formula"
        assert laid_out(opened) == [], view
    assert not [url for url in foreign if not url.startswith(bench.replace("http", "ws"))]
    context.close()


def test_the_adviser_is_no_thin_column_at_150_percent(page: Page) -> None:
    page.set_viewport_size({"width": 960, "height": 900})
    page.goto("/benchmark")
    settled(page)
    figure, wish = page.locator(".js-plotly-plot").first, page.get_by_label("I need recall of at least", exact=True)
    expect(figure).to_be_visible()
    widths = [box["width"] for box in (figure.bounding_box(), wish.bounding_box()) if box]
    assert len(widths) == 2
    assert min(widths) > 250


def test_the_adviser_answers_and_its_link_reproduces_it(page: Page) -> None:
    page.goto("/benchmark")
    settled(page)
    expect(page.get_by_role("heading", name="→ HNSW M 16, efConstruction 200, ef 100")).to_be_visible()
    wish = page.get_by_label("I need recall of at least", exact=True)
    wish.fill("0.98")
    wish.press("Enter")
    expect(page.get_by_role("heading", name="ef 200")).to_be_visible()
    page.get_by_label("Queries a second", exact=True).fill("10000")
    page.get_by_label("Queries a second", exact=True).press("Enter")
    expect(page.get_by_text(re.compile("10,000 QPS take 3 instances")).first).to_be_visible()
    page.wait_for_url(re.compile(r"recall=0\.98.*qps=10000"))
    page.goto(page.url)  # as somebody who is given the link
    settled(page)
    expect(page.get_by_text(re.compile("10,000 QPS take 3 instances")).first).to_be_visible()
    page.goto("/benchmark?recall=0.999")
    settled(page)
    expect(page.get_by_text("The most recall is 0.995").first).to_be_visible()


def test_what_failed_says_why_and_the_clients_own_figure_stands_beside_the_servers(page: Page) -> None:
    page.goto("/benchmark?runs=mine&view=Compare&client=both&a=client%3Draw&b=client%3Dpymilvus")
    settled(page)
    page.get_by_text("1 point has no figures").click()
    expect(page.get_by_text("1 × Building IVF_PQ took longer.")).to_be_visible()
    beside = "raw answers 6 times the queries of pymilvus at equal recall, 0.960."
    expect(page.get_by_text(beside)).to_be_visible()


def test_rates_are_drawn_where_there_are_some_and_asked_for_where_there_are_none(page: Page) -> None:
    page.goto("/benchmark?runs=at-rates&view=Rates")
    settled(page)
    expect(page.locator(".road-title")).to_contain_text("keeps up with 50 requests")
    expect(page.locator(".js-plotly-plot .legend")).to_contain_text("the rate was not kept")
    page.goto("/benchmark?runs=mine&view=Rates")
    settled(page)
    expect(page.get_by_text("No point of these runs was measured at a given rate")).to_be_visible()


def test_the_form_makes_a_tuning_or_a_sweep_at_rates(page: Page) -> None:
    page.goto("/benchmark?runs=mine&of=item-item&vectors=synthetic:10000,20000,64")
    settled(page)
    page.get_by_text("Set up a run").click()
    expect(page.get_by_text(re.compile("pipeline bench --scenario item-item")).first).to_be_visible()
    page.get_by_role("button", name="Values to try").click()
    page.get_by_text("at given rates").click()
    expect(page.get_by_text(re.compile("--rate 50,100,200")).first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Tune").click()
    settled(page)
    page.get_by_label("Maximum p99 (ms)", exact=True).fill("20")
    page.get_by_label("Maximum p99 (ms)", exact=True).press("Enter")
    tuning = "pipeline bench tune --recall 0.95 --p99 20 --trials 20 --scenario item-item"
    expect(page.get_by_text(re.compile(tuning)).first).to_be_visible()
    expect(page.get_by_text(re.compile("^20 settings tried, about"))).to_be_visible()
    page.wait_for_url(re.compile(r"do=tune.*within=20"))
    page.goto(page.url)  # as somebody who is given the link
    settled(page)
    page.get_by_text("Set up a run").click()
    expect(page.get_by_text(re.compile(tuning)).first).to_be_visible()


def _click_point(page: Page, number: int) -> None:
    """Click on a drawn point of the first figure's fronts; Plotly listens where it is, not on its path."""
    dot = page.locator(".js-plotly-plot").first.locator(".scatterlayer .trace.scatter .points path.point")
    shift = itertools.cycle((0, 1))

    def answers() -> bool:
        box = dot.nth(number).bounding_box()
        if box is not None:
            page.mouse.move(box["x"] + box["width"] / 2 + next(shift), box["y"] + box["height"] / 2)
        return page.locator(".hoverlayer .hovertext").count() > 0

    wait_for(answers, 30, "the point to answer the mouse")
    page.mouse.down()
    page.mouse.up()


def test_a_click_on_a_point_describes_it_and_offers_to_serve(page: Page) -> None:
    page.goto("/benchmark?concurrency=1")
    settled(page)
    expect(page.get_by_text("Click a point to use its setting.")).to_be_visible()
    _click_point(page, 2)
    expect(page.get_by_text(re.compile(r": recall 0\.\d+, [\d,]+ QPS"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("and use it")).first).to_be_disabled()  # there is no model


def test_the_figure_is_saved_as_png_in_the_browser(page: Page, tmp_path: Path) -> None:
    page.goto("/benchmark?runs=mine")
    settled(page)
    page.locator(".js-plotly-plot").first.hover()
    with page.expect_download() as download:
        page.locator(".modebar-btn[data-title*='Download']").first.click()
    download.value.save_as(tmp_path / "benchmark.png")
    saved = (tmp_path / "benchmark.png").read_bytes()
    assert saved.startswith(b"\x89PNG")
    assert int.from_bytes(saved[16:20], "big") == 2 * SAVED_WIDTH  # whatever the page's, so that its title fits
    assert download.value.suggested_filename == "benchmark.png"
