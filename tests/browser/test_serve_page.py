"""The Serve page as a person uses it: features put online, a request through the stages, what each of them did."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from pipeline.clicks.ingest import load_clicks
from pipeline.store.workspace import Workspace
from tests.browser.conftest import settled
from tests.conftest import cli

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]


@pytest.fixture(autouse=True, scope="module")
def _nothing_online(shop: Workspace) -> None:
    assert shop.manifest("features") is None


def test_features_are_put_online_and_a_session_is_answered(page: Page, shop: Workspace) -> None:
    page.goto("/serve")
    settled(page)
    expect(page.get_by_text(re.compile("run `?features apply"))).to_be_visible()
    page.get_by_role("button", name=re.compile("Put the features online")).click()
    expect(page.get_by_role("list", name="The stages of this answer")).to_be_visible(timeout=120_000)
    stages = page.get_by_role("list", name="The stages of this answer").get_by_role("listitem")
    expect(stages).to_have_count(5)  # without a ranker: no items' features, no scores
    expect(stages.nth(2)).to_contain_text("100 items")
    expect(page.get_by_text(re.compile("No ranker is trained"))).to_be_visible()
    expect(page.locator(".road-title").first).to_contain_text(re.compile(r"Answered in [\d.]+ ms, of which"))
    times = page.locator(".js-plotly-plot")
    expect(times.get_by_text("order", exact=True).first).to_be_visible()
    expect(times.get_by_text("score", exact=True)).to_have_count(0)  # a stage that the answer did not pass
    expect(page.get_by_text("Triton is stopped")).to_be_visible()


def test_lists_temperature_and_the_json_follow_what_is_chosen(page: Page, shop: Workspace) -> None:
    page.goto("/serve?session=2735&k=5&list=retrieve")
    settled(page)
    expect(page.get_by_text(re.compile("The nearest of .* items to the session"))).to_be_visible(timeout=60_000)
    page.get_by_role("radio", name="Left out").click()
    page.wait_for_url(re.compile("list=filter"))
    expect(page.get_by_text(re.compile("already clicked in this session|had been clicked"))).to_be_visible()
    page.goto("/serve?session=2735&k=5")
    settled(page)
    plain = cli(shop.root, "serve", "ask", "--session", "2735", "--k", "5")[1]
    page.get_by_text("The request and the answer as JSON").click()
    told = json.loads(page.get_by_role("tabpanel").locator("code").first.inner_text())
    assert [item["item_id"] for item in told["items"]] == [item["item_id"] for item in plain["items"]]
    page.get_by_role("tab", name="curl").click()
    expect(page.get_by_text(re.compile("v2/models/executor_model/infer"))).to_be_visible()
    page.goto("/serve?session=2735&k=5&temperature=2&seed=4")
    settled(page)
    expect(page.get_by_text("drawn with temperature 2")).to_be_visible()
    expect(page.get_by_role("list", name="The stages of this answer")).to_contain_text("softmax, temperature 2")


def test_what_cannot_be_asked_is_one_sentence(page: Page) -> None:
    page.goto("/serve?pick=items&items=nobody's")
    settled(page)
    expect(page.get_by_text(re.compile("Item .nobody's. is not among"))).to_be_visible(timeout=60_000)
    page.goto("/serve?session=987654321")
    settled(page)
    expect(page.get_by_text(re.compile("No session '987654321'"))).to_be_visible()


def test_load_is_measured_from_the_page(page: Page) -> None:
    page.goto("/serve?clients=1&batch=4&each=1")
    settled(page)
    expect(page.get_by_text(re.compile("Nothing is measured yet"))).to_be_visible(timeout=60_000)
    page.get_by_text("Measure", exact=True).first.click()
    expect(page.get_by_text(re.compile("2 points of 1 s"))).to_be_visible()
    page.get_by_role("button", name=re.compile("Measure$")).click()
    found = page.locator(
        ".road-title", has_text=re.compile("The app answers .* times as many sessions in batches of 4")
    )
    expect(found).to_be_visible(timeout=120_000)
    expect(page.get_by_text(re.compile("client processes on the same machine"))).to_be_visible()


def test_a_log_is_sent_and_its_recommendations_come_back(page: Page, shop: Workspace, tmp_path: Path) -> None:
    load_clicks(shop).head(60).collect().write_csv(tmp_path / "visits.csv")
    page.goto("/serve")
    settled(page)
    page.get_by_text("Recommend to every session of a log").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "visits.csv")
    page.get_by_role("button", name=re.compile("Recommend$")).click()
    expect(page.get_by_text("visits.parquet")).to_be_visible(timeout=120_000)
    with page.expect_download() as sent:
        page.get_by_role("button", name=re.compile("Download$")).first.click()
    sent.value.save_as(tmp_path / "found.parquet")
    found = pl.read_parquet(tmp_path / "found.parquet")
    assert found.columns == ["session_id", "rank", "item_id", "score"]
    assert found["rank"].max() == 10


@pytest.mark.long
def test_triton_is_started_swapped_and_stopped_from_the_page_in_two_tabs(page: Page, shop: Workspace) -> None:
    before = next(row for row in cli(shop.root, "index", "list")[1]["indexes"] if row["name"].startswith("items-"))
    other = page.context.new_page()
    assert cli(shop.root, "features", "apply")[0] == cli(shop.root, "features", "materialize")[0] == 0
    try:
        page.goto("/serve?session=2735")
        settled(page)
        page.get_by_role("button", name=re.compile("Start Triton")).click(timeout=60_000)
        expect(page.get_by_text("Triton is ready")).to_be_visible(timeout=180_000)
        other.goto("/serve?session=2735&via=triton")
        settled(other)
        expect(other.get_by_text("Triton is ready")).to_be_visible(timeout=60_000)
        assert cli(shop.root, "index", "build", "--index", "FLAT")[0] == 0
        assert cli(shop.root, "index", "use", "items-session-flat")[0] == 0
        page.reload()
        settled(page)
        swap = page.get_by_role("button", name=re.compile("Swap to what is in use"))
        swap.click(timeout=60_000)
        expect(swap).to_have_count(0, timeout=120_000)
        expect(page.get_by_text("Triton is ready")).to_be_visible(timeout=60_000)
        asked = cli(shop.root, "serve", "ask", "--session", "2735", "--via", "triton")
        assert asked[0] == 0, asked
        other.reload()
        settled(other)
        other.get_by_role("button", name=re.compile("Stop$")).click(timeout=60_000)
        expect(other.get_by_text("Triton is stopped")).to_be_visible(timeout=60_000)
        page.reload()
        settled(page)
        expect(page.get_by_text("Triton is stopped")).to_be_visible(timeout=60_000)
    finally:
        other.close()
        cli(shop.root, "index", "use", str(before["name"]))
        cli(shop.root, "serve", "down")
