"""What a person does on more than one page, and waits for."""

import pytest
from playwright.sync_api import Page

from pipeline.jobs.job import Job, jobs
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


def newest(shop: Workspace, title: str) -> Job:
    return next(j for j in jobs(shop) if j.title == title)


def job_done(shop: Workspace, title: str) -> bool:
    if not any(j.title == title for j in jobs(shop)):
        return False
    job = newest(shop, title)
    assert job.state not in ("failed", "killed"), job.end
    return job.state == "done"


def select(page: Page, row: int, rows: int) -> None:
    """Click on the box at the left of a row of a table with so many; it is drawn on a canvas, so by place."""
    page.set_viewport_size({"width": 1440, "height": 2200})  # a click below the fold would be lost
    settled(page)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 17, box["y"] + box["height"] * (row + 1.5) / (rows + 1))
    settled(page)
