"""The Benchmark page and its runs: set up, measured, watched, taken out, and used."""

import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.bench.runs import Recorder, list_runs, load_points
from pipeline.indexes.registry import index_in_use, used_search
from pipeline.indexes.registry import use_index as serve_index
from pipeline.store.workspace import Workspace
from tests.browser.conftest import serve, settled
from tests.conftest import wait_for
from tests.made.points import point

pytestmark = pytest.mark.browser


@pytest.fixture
def page(bench_page: Page) -> Page:
    return bench_page


def test_the_overview_tells_what_the_newest_run_found(page: Page) -> None:
    page.goto("/")
    settled(page)
    expect(page.get_by_text("is the cheapest of 8 measured settings with recall ≥ 0.95").first).to_be_visible()
    page.get_by_role("link", name="See all of it").click()
    page.wait_for_url("**/benchmark**")


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
        for title, value in (("Search", "nprobe=4,16"), ("Queries per request", "10"), ("Seconds", "0.3")):
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
        assert load_points(workspace, run.name).select("index", "nq", "error").rows() == [("IVF_FLAT", 10, None)] * 2
        expect(opened.get_by_role("heading", name="→ IVF_FLAT nlist 128")).to_be_visible(timeout=30_000)
        opened.context.close()
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.milvus
@pytest.mark.merlin
def test_a_measured_setting_is_built_and_serves(browser: Browser, app: str, shop: Workspace) -> None:
    before = index_in_use(shop, "session")["name"]
    with Recorder(shop, "chosen") as run:
        run.begin({}, {"cores": 2}, {}, 0, 1)
        run.add(point(0.97, 900, {"M": 12, "efConstruction": 100}, {"ef": 130}))
    opened = browser.new_context(base_url=app, viewport={"width": 1440, "height": 1400}).new_page()
    opened.set_default_timeout(60_000)
    try:
        opened.goto("/benchmark?runs=chosen")
        settled(opened)
        opened.get_by_role("button", name="Build this index and use it").click()
        wait_for(
            lambda: used_search(shop, index_in_use(shop, "session")["name"]) == "ef=130", 150, "the index to serve"
        )
        assert index_in_use(shop, "session")["params"] == {"M": 12, "efConstruction": 100}
        expect(opened.get_by_text("items-session-hnsw-bench uses this setting")).to_be_visible(timeout=30_000)
    finally:
        serve_index(shop, before)
        opened.context.close()
