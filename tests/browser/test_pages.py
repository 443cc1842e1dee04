"""Every page, as a person uses it: look, train, build an index, get recommendations, see them on the map."""

import os
import re
import zipfile
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from app import cards
from app.routes import PAGES
from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.core.workspace import Workspace, write_json
from pipeline.indexes.registry import list_indexes, serving
from pipeline.jobs.job import CANCELLED, create, jobs
from pipeline.training import archive
from pipeline.training.history import list_trainings
from tests.browser.access import STREAMLITS, findings
from tests.browser.conftest import laid_out, serve, settled
from tests.conftest import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]
AXE = ((390, "light"), (1440, "dark"))  # what axe-core looks at: it takes a second or two a page
_PATIENCE_S = 300  # for a job, on a machine that others use
ERRORS = "[data-testid=stException], [data-testid=stAlertContentError]"


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
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


@pytest.mark.parametrize("width", [960, 390])
def test_the_table_of_indexes_shows_all_its_columns_at_150_percent_and_on_a_phone(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/index")
    settled(page)
    table = page.locator(".road-wide").first
    expect(table.locator("td", has_text="$").first).to_be_visible()
    assert table.evaluate("table => table.scrollWidth - table.clientWidth") <= 1


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


def _job_done(shop: Workspace, title: str) -> bool:
    newest = next((j for j in jobs(shop) if j.title == title), None)
    assert newest is None or newest.state not in ("failed", "killed"), newest and newest.end
    return newest is not None and newest.state == "done"


def test_train_from_the_page_with_a_live_curve(page: Page, shop: Workspace) -> None:
    before = (shop.manifest("models/session") or {})["key"]
    page.goto("/train")
    settled(page)
    page.get_by_text("more settings").click()
    page.get_by_label("Finish", exact=True).fill("300")  # longer than the test: it is stopped early
    page.get_by_label("Finish", exact=True).press("Enter")
    settled(page)
    page.get_by_role("button", name="Train, and refresh").click()
    expect(page.get_by_text("train and refresh").first).to_be_visible()
    expect(page.get_by_role("button", name="Cancel").first).to_be_visible()
    expect(page.get_by_text("loss (training)").first).to_be_visible(timeout=120_000)
    page.reload()  # leave and come back
    settled(page)
    page.get_by_role("button", name="Stop early and keep the best").click()
    wait_for(lambda: _job_done(shop, "train and refresh"), _PATIENCE_S, "training from the page")
    trained = shop.manifest("models/session") or {}
    assert trained["key"] != before
    assert trained["config"]["finish"] == 300
    assert trained["metrics"]["note"].startswith("stopped early")
    assert (shop.manifest("vectors/session") or {})["inputs"]["models/session"] == trained["key"]
    expect(page.get_by_text("Nothing is running.")).to_be_visible()


def test_build_an_index_from_the_page(page: Page, shop: Workspace) -> None:
    page.goto("/index?type=IVF_FLAT")
    settled(page)
    page.get_by_label("nlist", exact=True).fill("16")
    page.get_by_label("nlist", exact=True).press("Enter")
    settled(page)
    page.get_by_role("button", name=re.compile("Build IVF_FLAT")).click()
    wait_for(lambda: _job_done(shop, "build IVF_FLAT of items"), _PATIENCE_S, "building from the page")
    expect(page.get_by_text("Nothing is running.")).to_be_visible()
    assert (shop.manifest("indexes/items-session-ivf_flat") or {})["metrics"]["params"] == {"nlist": 16}
    expect(page.get_by_role("button", name="Use items-session-ivf_flat")).to_be_visible()
    assert serving(shop, "session")["name"] == "items-session-hnsw"  # until the newer one is chosen


def test_without_a_gpu_it_says_what_is_missing_and_shows_what_was_published(page: Page) -> None:
    page.goto("/index?device=gpu")
    settled(page)
    expect(page.get_by_text("No server with a GPU is known")).to_be_visible()
    expect(page.get_by_text("published 2023").first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Build "))).to_have_count(0)


def test_a_server_that_does_not_answer_is_a_sentence(page: Page, shop: Workspace) -> None:
    page.goto("/index")
    settled(page)
    page.get_by_text("Add a server of your own").click()
    page.get_by_label("Name", exact=True).fill("mine")
    page.get_by_label("URI", exact=True).fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_text(re.compile("does not answer")).first).to_be_visible(timeout=60_000)
    assert not list((shop.root / "servers").glob("*.json"))


def test_models_are_evaluated_against_the_baselines(page: Page, shop: Workspace) -> None:
    page.goto("/train?measure=mrr@20")
    settled(page)
    page.get_by_role("button", name="Evaluate").click()
    wait_for(lambda: _job_done(shop, "evaluate"), _PATIENCE_S, "the evaluation")
    page.reload()
    settled(page)
    expect(page.get_by_text("Every trained model is measured")).to_be_visible()
    expect(page.get_by_text(re.compile(r"(with|has) mrr@20 0\.\d")).first).to_be_visible()
    expect(page.locator(".ytick", has_text="VS-KNN").first).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("item popularity").click()
    page.wait_for_url(re.compile("by=item"))
    expect(page.get_by_text(re.compile("top 5 %")).first).to_be_visible()


def _select(page: Page, row: int, rows: int) -> None:
    """Click on the box at the left of a row of a table with so many; it is drawn on a canvas, so by place."""
    page.set_viewport_size({"width": 1440, "height": 2200})  # a click below the fold would be lost
    settled(page)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 17, box["y"] + box["height"] * (row + 1.5) / (rows + 1))
    settled(page)


def _choose_index(page: Page, name: str) -> None:
    """Choose a built index, beside those that are chosen."""
    page.get_by_role("button", name=name, exact=True).click()


def test_the_published_model_is_trained_and_shows_what_it_does_not_know(page: Page, shop: Workspace) -> None:
    page.goto("/train?view=lesson")
    settled(page)
    page.get_by_role("button", name="Train it as published").click()
    wait_for(lambda: _job_done(shop, "train two_tower_published"), _PATIENCE_S, "the published model")
    page.goto("/train?view=lesson")
    settled(page)
    expect(page.get_by_text("of the clicks it trains on").first).to_be_visible(timeout=90_000)
    expect(page.get_by_role("button", name="Train it as published")).to_have_count(0)


def _choose_training(page: Page, row: int, rows: int) -> None:
    """Select a row once the curve above the table is drawn, which moves it down."""
    expect(page.get_by_text("loss (training)").first).to_be_visible()
    _select(page, row, rows)


def test_a_training_is_chosen_and_another_deleted(page: Page, shop: Workspace) -> None:
    known = list_trainings(shop)
    rows = [i for i, training in enumerate(known) if training.model == "session"]
    new, old = (known[i] for i in rows)
    assert (new.serves, old.serves) == (True, False)
    page.goto("/train?view=trainings")
    _choose_training(page, rows[1], len(known))
    page.get_by_role("button", name="Use this training").click()
    wait_for(lambda: _job_done(shop, f"serve {old.name}"), _PATIENCE_S, "the other training to serve")
    expect(page.get_by_text("Out of date since the model was trained again")).to_be_visible()
    archive.serve(shop, new.name)  # as it was for the tests that follow
    page.reload()
    _choose_training(page, rows[1], len(known))
    page.get_by_role("button", name=re.compile("Delete$")).click()
    expect(page.get_by_text("until you confirm")).to_be_visible()
    assert old.name not in [training.name for training in list_trainings(shop)]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("until you confirm")).to_have_count(0)
    assert known == list_trainings(shop)


def test_the_form_follows_the_kind_of_model_and_the_clicks(page: Page) -> None:
    page.goto("/train")
    settled(page)
    expect(page.get_by_role("button", name="Train only")).to_be_enabled()
    page.get_by_role("combobox", name="Clicks").click()
    page.get_by_role("option", name="Made-up clicks").click()
    expect(page.get_by_role("button", name="Train only")).to_be_disabled()
    page.goto("/train?model=dlrm")
    settled(page)
    expect(page.get_by_label("Retrieval", exact=False).first).to_be_visible()
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    page.goto("/train?model=popularity")
    settled(page)
    expect(page.get_by_text("It has no settings.")).to_be_visible()
    page.goto("/train?model=vsknn")
    settled(page)
    expect(page.get_by_label("Sample", exact=True)).to_have_value("1000")


def test_two_indexes_are_compared_on_the_same_queries(page: Page, shop: Workspace) -> None:
    names = [row["name"] for row in list_indexes(shop)]
    pair = [name for name in names if name.startswith("items-")][:2]
    assert len(pair) == 2, names
    page.goto("/index")
    settled(page)
    _choose_index(page, pair[0])
    expect(page.get_by_role("button", name="Use this index")).to_be_visible()
    _choose_index(page, pair[1])
    expect(page.get_by_text(re.compile(r"100 % of the 10 nearest are the same"))).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile("Measured now: recall on the same 200 queries"))).to_be_visible()
    catalogue = pl.read_parquet(shop.stage("models/session") / "items.parquet")
    named = set(cards.names(catalogue).values())
    exact = page.locator("td[data-column=exact]").all_inner_texts()
    assert len(exact) == 10
    assert set(exact) <= named
    assert not set(exact) & set(catalogue["item_id"].cast(pl.String))
    page.goto(page.url)  # as somebody who is given the link
    expect(page.get_by_text(re.compile(r"100 % of the 10 nearest are the same"))).to_be_visible(timeout=60_000)


def test_a_dropped_index_comes_back_until_it_is_confirmed(page: Page, shop: Workspace) -> None:
    names = [row["name"] for row in list_indexes(shop)]
    page.goto("/index")
    settled(page)
    _choose_index(page, "items-session-ivf_flat")
    page.get_by_role("button", name=re.compile("Drop$")).click()
    expect(page.get_by_text("until you confirm")).to_be_visible()
    assert "items-session-ivf_flat" not in [row["name"] for row in list_indexes(shop)]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("until you confirm")).to_have_count(0)
    assert names == [row["name"] for row in list_indexes(shop)]


def test_recommendations_for_a_session_and_its_link(page: Page) -> None:
    page.goto("/recommend?session=2735&after=3")
    settled(page)
    expect(page.get_by_text("Recommended").first).to_be_visible(timeout=90_000)
    expect(page.locator(".road-card")).to_have_count(3 + 10)
    expect(page).to_have_url(re.compile(r"session=2735.*after=3"))
    expect(page.get_by_text(re.compile("actual next click")).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"10 of 10"))).to_be_visible()
    page.get_by_text("See this session on the map").click()
    expect(page).to_have_url(re.compile("/map"))
    expect(page.get_by_text("the session").first).to_be_visible()


def test_a_filter_is_composed_and_its_link_reproduces_it(page: Page) -> None:
    page.goto("/recommend?session=2735&after=3")
    settled(page)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Minimum popularity", exact=True).fill("40")
    page.get_by_label("Minimum popularity", exact=True).press("Enter")
    page.wait_for_url(re.compile(r"filter=popularity"))
    expect(page.get_by_text(re.compile(r"Filter: \d+ of 803 items"))).to_be_visible(timeout=90_000)  # drawn to its end
    page.get_by_label("Category", exact=True).fill("skirts")
    page.get_by_role("option", name="skirts", exact=True).click()
    said = page.get_by_text(re.compile(r"Filter: \d+ of 803 items .* recall among them 1"))
    expect(said).to_be_visible(timeout=90_000)
    page.wait_for_url(re.compile(r"filter=category"))
    page.goto(page.url)  # as somebody who is given the link
    settled(page)
    expect(said).to_be_visible(timeout=90_000)
    expect(page.locator(".road-card").nth(3)).to_contain_text("skirts")
    page.get_by_text("Filter", exact=True).click()
    expect(page.get_by_label("Minimum popularity", exact=True)).to_have_value("40")
    page.goto("/recommend?session=2735&after=3&filter=price+%3C+40+or+price+%3E+60")
    settled(page)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_role("button", name="Clear the filter").click()
    expect(page).not_to_have_url(re.compile("filter="))


def test_a_session_put_together_by_clicking(page: Page) -> None:
    page.goto("/recommend?items=A508")
    settled(page)
    expect(page.get_by_text("Click one to continue the session")).to_be_visible(timeout=90_000)
    page.get_by_test_id("stButtonGroup").last.get_by_role("radio").or_(
        page.get_by_test_id("stBaseButton-pills")
    ).first.click()
    page.wait_for_url(re.compile(r"items=A508(%2C|,)\w+"))
    settled(page)
    expect(page.locator(".road-card")).to_have_count(2 + 10)


def test_an_unknown_session_is_a_sentence(page: Page) -> None:
    page.goto("/recommend?session=99999999")
    settled(page)
    expect(page.locator("[data-testid=stAlert]")).to_contain_text("99999999")


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


def test_two_visitors_at_once(browser: Browser, app: str) -> None:
    _many(browser, app, 2)


@pytest.mark.long
def test_many_visitors_at_once(browser: Browser, app: str) -> None:
    _many(browser, app, 12)
