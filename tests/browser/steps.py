"""What a person does on more than one page, and waits for."""

import pytest
from playwright.sync_api import Page

from pipeline.jobs.job import jobs
from pipeline.store.workspace import Workspace
from tests.browser.conftest import settled

ERRORS = "[data-testid=stException], [data-testid=stAlertContentError]"
LOOKS = [  # each width and each scheme; the other two pairs lay out and draw the same
    (1440, "dark"),
    (390, "light"),
    pytest.param(1440, "light", marks=pytest.mark.long),
    pytest.param(390, "dark", marks=pytest.mark.long),
]
PATIENCE_S = 300  # for a job, on a machine that others use


def job_done(shop: Workspace, title: str) -> bool:
    newest = next((j for j in jobs(shop) if j.title == title), None)
    assert newest is None or newest.state not in ("failed", "killed"), newest and newest.end
    return newest is not None and newest.state == "done"


def select(page: Page, row: int, rows: int) -> None:
    """Click on the box at the left of a row of a table with so many; it is drawn on a canvas, so by place."""
    page.set_viewport_size({"width": 1440, "height": 2200})  # a click below the fold would be lost
    settled(page)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 17, box["y"] + box["height"] * (row + 1.5) / (rows + 1))
    settled(page)
