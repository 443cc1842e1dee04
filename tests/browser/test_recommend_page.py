"""The Recommend page as a person uses it: a session and its link, a filter, a session of one's own."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import settled

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]


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
