"""The URL and the widgets of every page: each change counts, Back undoes it, and no value breaks a page."""

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from app.routes import PAGES
from pipeline.core.project import PROJECT
from tests.browser.conftest import settled

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]
NAMES = [
    "a", "after", "b", "batch", "budget", "by", "clean_categories", "client", "clients", "collapse_repeats",
    "collection", "concurrency", "cores", "data", "device", "do", "each", "filter", "find", "index", "indexes",
    "items", "k", "keep", "last_days", "list", "loop", "max_session_length", "measure", "memory", "merged",
    "min_category_count", "min_item_count", "min_session_length", "model", "most", "nq", "of", "on", "p99", "pick",
    "preset", "prices", "qps", "ranked", "rate", "recall", "requests", "runs", "scenario", "seed", "seen", "server",
    "session", "study", "temperature", "test_by", "test_days", "test_from", "test_share", "top_k", "train_on",
    "trials", "type", "types", "unseen", "vectors", "via", "view", "why", "within",
]  # fmt: skip
NASTY = ["abc", "-1", "1e9", "nan", "--5", "²", "9" * 500, "<b>%00</b>'\"", "[object Object],,"]
BROKEN = "[data-testid=stException], :text('Traceback'), :text('report reference')"


def _expect_query(page: Page, name: str, value: str | None) -> None:
    """Wait until the URL has this value, None where it has none: it follows a click once the script has run."""
    page.wait_for_function("([n, v]) => new URLSearchParams(location.search).get(n) === v", arg=[name, value])


def test_every_value_that_a_page_reads_is_tried_here() -> None:
    source = "".join(f.read_text() for f in [*PROJECT.glob("app/**/*.py"), *PROJECT.glob("pages/*.py")])
    read = set(re.findall(r"url\.(?:bound|choice|segments|value)\(\s*\"(\w+)\"", source))
    assert read
    assert read <= set(NAMES), read - set(NAMES)


@pytest.mark.parametrize("name", PAGES)
def test_no_value_of_a_url_breaks_a_page(page: Page, name: str) -> None:
    for shift in (0, 4, 7):  # each value of the URL is a different one each time
        query = {each: NASTY[(n + shift) % len(NASTY)] for n, each in enumerate(NAMES)}
        page.goto(f"/{'' if name == 'overview' else name}?{urlencode(query)}")
        settled(page)
        assert page.locator(BROKEN).count() == 0, (query, page.locator(BROKEN).all_inner_texts())
        assert page.locator("h1").count() == 1


def test_a_slider_moves_at_every_press_and_back_undoes_the_last(page: Page) -> None:
    page.goto("/recommend")
    settled(page)
    slider = page.get_by_role("slider", name="How many")
    for expected in ("11", "12", "13"):
        slider.press("ArrowRight")
        page.wait_for_url(re.compile(f"k={expected}$"))
        settled(page)
        expect(slider).to_have_value(expected)
    page.go_back()
    page.wait_for_url(re.compile("k=12$"))
    settled(page)
    expect(slider).to_have_value("12")


def test_a_switch_switches_at_every_click(page: Page) -> None:
    page.goto("/recommend")
    settled(page)
    box = page.locator("label", has_text="Exclude seen items").locator("input").first
    for expected in (True, False, True):
        page.get_by_text("Exclude seen items").click()
        settled(page)
        expect(box).to_be_checked(checked=expected)
        _expect_query(page, "seen", "1" if expected else None)


def test_a_text_is_taken_at_every_change(page: Page) -> None:
    page.goto("/map")
    settled(page)
    box = page.get_by_label("Find an item")
    for text in ("skirt", "red", "skirt"):
        box.fill(text)
        box.press("Enter")
        page.wait_for_url(re.compile(f"find={text}"))
        settled(page)
        expect(box).to_have_value(text)


CHOICES = [
    ("/train", "view", ["trainings", "lesson", "trainings"], ["Trainings", "Why the published model", "Trainings"]),
    ("/index", "type", ["IVF_PQ", "FLAT", "IVF_PQ"], ["IVF_PQ", "FLAT", "IVF_PQ"]),
    ("/index", "device", ["gpu", None, "gpu"], ["GPU", "CPU", "GPU"]),
    ("/recommend", "pick", ["items", None, "items"], ["Build a session", "A recorded session", "Build a session"]),
    ("/benchmark", "do", ["tune", None, "tune"], ["Tune", "Sweep", "Tune"]),
    ("/benchmark", "study", ["user-user", "user-item", "user-user"], ["user-user", "user-item", "user-user"]),
]


@pytest.mark.parametrize(("path", "name", "values", "labels"), CHOICES, ids=[f"{p}-{n}" for p, n, _, _ in CHOICES])
def test_a_choice_is_made_at_every_click_and_cannot_be_unmade(
    page: Page, path: str, name: str, values: list[str | None], labels: list[str]
) -> None:
    page.goto(path)
    settled(page)
    for value, label in zip(values, labels, strict=True):
        button = page.get_by_test_id("stButtonGroup").get_by_role("radio", name=re.compile(f"^{label}")).first
        button.click()
        settled(page)
        _expect_query(page, name, value)
        expect(button).to_be_checked()
        button.click()  # again: a segment that is chosen stays so
        settled(page)
        expect(button).to_be_checked()


def test_a_session_put_together_survives_the_page_that_was_looked_at_between(page: Page) -> None:
    page.goto("/recommend?pick=items")
    settled(page)
    page.get_by_role("combobox", name="Add an item").click()
    page.get_by_role("option").nth(1).click()
    page.wait_for_url(re.compile("items="))
    settled(page)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Map").click()
    page.wait_for_url(re.compile("/map"))
    settled(page)
    page.go_back()
    page.wait_for_url(re.compile("items="))
    settled(page)
    expect(page.get_by_role("radiogroup", name="Clicks so far").get_by_role("radio")).to_have_count(1)
