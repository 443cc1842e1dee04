"""The Benchmark page as a person uses it: read the answer, change the wish, click on a point, take the run out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from app.benchmark.views import RATES, VIEWS
from pipeline.bench.runs import Recorder, list_runs, load
from pipeline.core.workspace import Workspace
from pipeline.figures.figure import SAVED_WIDTH
from pipeline.indexes.registry import served_search, serving
from tests.browser.conftest import laid_out, serve, settled
from tests.browser.test_pages import ERRORS
from tests.conftest import wait_for
from tests.made.points import point

pytestmark = pytest.mark.browser
FRONT = ((100, 0.96, 3000.0), (200, 0.985, 2000.0), (400, 0.995, 1000.0))


def _points() -> Iterator[dict[str, object]]:
    for clients in (1, 4):
        for repeat in range(3):
            for ef, recall, qps in FRONT:
                build, reached = {"M": 16, "efConstruction": 200}, qps * clients**0.5 * (1 + 0.04 * (repeat - 1))
                bound = clients == 4 and ef == 100
                yield point(recall, reached, build, {"ef": ef}, concurrency=clients, repeat=repeat, client_bound=bound)
        yield point(0.97, 900, {"nlist": 64}, {"nprobe": 8}, index="IVF_FLAT", concurrency=clients, build_s=2.0)
    yield point(0.96, 1000.0, {"M": 16, "efConstruction": 200}, {"ef": 100}, concurrency=1, client="pymilvus")
    yield point(None, None, {"nlist": 64, "m": 8, "nbits": 12}, index="IVF_PQ", error="Building IVF_PQ took longer.")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give a workspace with one run, and no model: the page needs none."""
    workspace = Workspace.open(tmp_path_factory.mktemp("measured") / "ws")
    with Recorder(workspace, "at-rates") as run:  # before 'mine', which is the newest
        run.begin({}, {"cores": 2}, {}, 0, 2)
        for rate, qps in ((50.0, 50.0), (200.0, 120.0)):
            run.add(point(0.97, qps, loop="open", rate=rate))
    with Recorder(workspace, "mine") as run:
        rows = list(_points())
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
def page(browser: Browser, bench: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1400}, base_url=bench, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
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
    expect(page.locator(".road-title")).to_contain_text("keeps 50 requests")
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
    page.get_by_label("p99 to keep (ms)", exact=True).fill("20")
    page.get_by_label("p99 to keep (ms)", exact=True).press("Enter")
    tuning = "pipeline bench tune --recall 0.95 --p99 20 --trials 20 --scenario item-item"
    expect(page.get_by_text(re.compile(tuning)).first).to_be_visible()
    expect(page.get_by_text(re.compile("^20 settings tried, about"))).to_be_visible()
    page.wait_for_url(re.compile(r"do=tune.*within=20"))
    page.goto(page.url)  # as somebody who is given the link
    settled(page)
    page.get_by_text("Set up a run").click()
    expect(page.get_by_text(re.compile(tuning)).first).to_be_visible()


def test_the_overview_tells_what_the_newest_run_found(page: Page) -> None:
    page.goto("/")
    settled(page)
    expect(page.get_by_text("is the cheapest of 8 measured settings with recall ≥ 0.95").first).to_be_visible()
    page.get_by_role("link", name="See all of it").click()
    page.wait_for_url("**/benchmark**")


def _click_point(page: Page, number: int) -> None:
    """Click on a drawn point of the first figure's fronts; Plotly listens where it is, not on its path."""
    dot = page.locator(".js-plotly-plot").first.locator(".scatterlayer .trace.scatter .points path.point")
    box = dot.nth(number).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_click_on_a_point_describes_it_and_offers_to_serve(page: Page) -> None:
    page.goto("/benchmark?concurrency=1")
    settled(page)
    expect(page.get_by_text("Click a point to use its setting.")).to_be_visible()
    page.wait_for_timeout(1000)
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


def test_points_arrive_while_a_run_lives(page: Page, measured: Workspace) -> None:
    with Recorder(measured, "living") as run:
        run.begin({}, {"cores": 2}, {}, 0, 9)
        run.add(point(0.96, 1234.0))
        page.goto("/benchmark?runs=living")
        settled(page)
        expect(page.get_by_text("1,234").first).to_be_visible()
        run.add(point(0.97, 4321.0, search={"ef": 150}))
        expect(page.get_by_text("4,321").first).to_be_visible(timeout=15_000)


def test_a_run_is_taken_out_as_files_and_the_html_opens_offline(page: Page, browser: Browser, tmp_path: Path) -> None:
    page.goto("/benchmark?runs=mine")
    settled(page)
    for button, suffix in (("CSV", "csv"), ("Parquet", "parquet"), ("HTML", "html")):
        with page.expect_download() as download:
            page.get_by_role("button", name=re.compile(f"download {button}$")).click()
        download.value.save_as(tmp_path / f"mine.{suffix}")
    assert pl.read_parquet(tmp_path / "mine.parquet").height == pl.read_csv(tmp_path / "mine.csv").height == 22
    context = browser.new_context(offline=True)
    opened = context.new_page()
    asked: list[str] = []
    opened.on("request", lambda r: asked.append(r.url) if r.url.startswith("http") else None)
    opened.goto((tmp_path / "mine.html").as_uri())
    expect(opened.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=30_000)
    assert opened.locator(".js-plotly-plot").count() == 5
    assert "is the cheapest of" in opened.locator("body").inner_text()
    assert not asked
    context.close()


def test_without_a_run_it_says_what_to_press_and_shows_what_was_published(browser: Browser, tmp_path: Path) -> None:
    process, address = serve(tmp_path / "ws")
    try:
        opened = browser.new_context(base_url=address).new_page()
        opened.goto("/")
        settled(opened)
        expect(opened.get_by_text("No index is benchmarked yet")).to_be_visible()
        opened.goto("/benchmark")
        settled(opened)
        expect(opened.get_by_text(re.compile("Nothing has been measured here yet: press Run above"))).to_be_visible()
        expect(opened.get_by_role("button", name=re.compile("Run$"))).to_be_enabled()
        command = re.compile(r"pipeline bench --scenario \w+-\w+")
        expect(opened.get_by_text(command).first).to_be_visible(timeout=30_000)
        expect(opened.get_by_text("Like for like").first).to_be_visible(timeout=60_000)
        opened.context.close()
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.milvus
def test_a_sweep_is_set_up_and_measured_from_the_page(browser: Browser, tmp_path: Path) -> None:
    process, address = serve(tmp_path / "ws")
    try:
        opened = browser.new_context(base_url=address, viewport={"width": 1440, "height": 1600}).new_page()
        opened.set_default_timeout(60_000)
        opened.goto("/benchmark?of=item-item&vectors=synthetic:10000,20000,64&types=IVF_FLAT&recall=0.1")
        settled(opened)
        opened.get_by_role("button", name="Values to try").click()
        for title, value in (("Search", "nprobe=4,16"), ("nq", "10"), ("Seconds", "0.3")):
            field = opened.get_by_label(title, exact=True)
            field.fill(value)
            field.press("Enter")
            settled(opened)
        opened.keyboard.press("Escape")
        expect(opened.get_by_text(re.compile("^2 points, about"))).to_be_visible()
        expect(opened.get_by_text(re.compile(r"--build nlist=128 --search nprobe=4,16 --nq 10")).first).to_be_visible()
        opened.get_by_role("button", name=re.compile("Run$")).click()
        workspace = Workspace.open(tmp_path / "ws")
        wait_for(lambda: any(run.status == "done" for run in list_runs(workspace)), 200, "the sweep")
        (run,) = list_runs(workspace)
        assert load(workspace, run.name).select("index", "nq", "error").rows() == [("IVF_FLAT", 10, None)] * 2
        expect(opened.get_by_role("heading", name="→ IVF_FLAT nlist 128")).to_be_visible(timeout=30_000)
        opened.context.close()
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.milvus
@pytest.mark.merlin
def test_a_measured_setting_is_built_and_serves(browser: Browser, app: str, shop: Workspace) -> None:
    with Recorder(shop, "chosen") as run:
        run.begin({}, {"cores": 2}, {}, 0, 1)
        run.add(point(0.97, 900, {"M": 12, "efConstruction": 100}, {"ef": 130}))
    opened = browser.new_context(base_url=app, viewport={"width": 1440, "height": 1400}).new_page()
    opened.set_default_timeout(60_000)
    opened.goto("/benchmark?runs=chosen")
    settled(opened)
    opened.get_by_role("button", name="Build this index and use it").click()
    wait_for(lambda: served_search(shop, serving(shop, "session")["name"]) == "ef=130", 150, "the index to serve")
    assert serving(shop, "session")["params"] == {"M": 12, "efConstruction": 100}
    expect(opened.get_by_text("items-session-hnsw-bench uses this setting")).to_be_visible(timeout=30_000)
    opened.context.close()
