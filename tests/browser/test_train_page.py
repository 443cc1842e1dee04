"""The Train page as a person uses it: train, evaluate, choose a training, see what the published model lacks."""

import re

import pytest
from playwright.sync_api import Page, expect

from pipeline.evaluation.evaluate import evaluations
from pipeline.models.registry import baselines
from pipeline.store.workspace import Workspace
from pipeline.training import archive
from pipeline.training.history import list_trainings
from tests.browser.conftest import settled
from tests.browser.steps import PATIENCE_S, job_done, newest, select
from tests.conftest import cli, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin]


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
    wait_for(lambda: job_done(shop, "train and refresh"), PATIENCE_S, "training from the page")
    trained = shop.manifest("models/session") or {}
    assert trained["key"] != before
    assert trained["config"]["finish"] == 300
    assert trained["metrics"]["note"].startswith("stopped early")
    assert (shop.manifest("vectors/session") or {})["inputs"]["models/session"] == trained["key"]
    expect(page.get_by_text("Nothing is running.")).to_be_visible()


def test_models_are_evaluated_against_the_baselines(page: Page, shop: Workspace) -> None:
    page.goto("/train?measure=mrr@20")
    settled(page)
    page.get_by_role("button", name="Evaluate").click()
    wait_for(lambda: job_done(shop, "evaluate"), PATIENCE_S, "the evaluation")
    assert set(baselines()) < set(evaluations(shop)), newest(shop, "evaluate").log()
    page.reload()
    settled(page)
    expect(page.get_by_text("Every trained model is measured")).to_be_visible()
    expect(page.get_by_text(re.compile(r"(with|has) mrr@20 0\.\d")).first).to_be_visible()
    expect(page.locator(".ytick", has_text="VS-KNN").first).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("item popularity").click()
    page.wait_for_url(re.compile("by=item"))
    expect(page.get_by_text(re.compile("top 5 %")).first).to_be_visible()


def test_the_published_model_is_trained_and_shows_what_it_does_not_know(page: Page, shop: Workspace) -> None:
    page.goto("/train?view=lesson")
    settled(page)
    page.get_by_role("button", name="Train it as published").click()
    wait_for(lambda: job_done(shop, "train two_tower_published"), PATIENCE_S, "the published model")
    page.goto("/train?view=lesson")
    settled(page)
    expect(page.get_by_text("of the clicks it trains on").first).to_be_visible(timeout=90_000)
    expect(page.get_by_role("button", name="Train it as published")).to_have_count(0)


def _choose_training(page: Page, row: int, rows: int) -> None:
    """Select a row once the curve above the table is drawn, which moves it down."""
    expect(page.get_by_text("loss (training)").first).to_be_visible()
    select(page, row, rows)


@pytest.fixture
def two_trainings(shop: Workspace) -> None:
    """Train the session model again, quickly, where no test has, and make its vectors."""
    if sum(training.model == "session" for training in list_trainings(shop)) < 2:
        assert cli(shop.root, "train", "--epochs", "1", "--wait")[0] == 0
        assert cli(shop.root, "embed", "--wait")[0] == 0


@pytest.mark.usefixtures("two_trainings")
def test_a_training_is_chosen_and_another_deleted(page: Page, shop: Workspace) -> None:
    known = list_trainings(shop)
    rows = [i for i, training in enumerate(known) if training.model == "session"]
    new, old = (known[i] for i in rows)
    assert (new.in_use, old.in_use) == (True, False)
    page.goto("/train?view=trainings")
    _choose_training(page, rows[1], len(known))
    page.get_by_role("button", name="Use this training").click()
    wait_for(lambda: job_done(shop, f"use {old.name}"), PATIENCE_S, "the other training to be used")
    expect(page.get_by_text("Out of date since the model was trained again")).to_be_visible()
    archive.use_training(shop, new.name)  # as it was for the tests that follow
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
