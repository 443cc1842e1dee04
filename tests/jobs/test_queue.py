"""One job writes at a time: a second one is refused, or waits its turn."""

import json

from pipeline.jobs import job as jobs
from pipeline.store.workspace import Workspace
from tests.conftest import wait_for
from tests.jobs.commands import LONG, SHORT, begun, ended, run


def test_a_second_writer_is_refused_by_name_and_age(workspace: Workspace) -> None:
    job = jobs.start_job(workspace, LONG, "a long reading")
    wait_for(lambda: begun(job), 60)
    refused = run(workspace, *SHORT)
    assert refused.returncode == 2
    sentence = json.loads(refused.stdout.splitlines()[-1])["error"]
    assert f"job {job.id} ('a long reading') has been running for" in sentence
    assert f"jobs cancel {job.id}" in sentence
    jobs.cancel(job)


def test_jobs_queue_in_order(workspace: Workspace) -> None:
    first = jobs.start_job(workspace, LONG, "first")
    wait_for(lambda: begun(first), 60)
    second = jobs.start_job(workspace, SHORT, "second")
    third = jobs.start_job(workspace, ["ingest", "--clicks", "synthetic:301"], "third")
    assert (second.state, third.state) == ("queued", "queued")
    jobs.cancel(first)
    wait_for(lambda: ended(third), 60)
    assert [second.state, third.state] == ["done", "done"]
    assert (workspace.manifest("clicks") or {})["metrics"]["sessions"] == 301


def test_a_queued_job_can_be_cancelled(workspace: Workspace) -> None:
    first = jobs.start_job(workspace, LONG, "first")
    wait_for(lambda: begun(first), 60)
    waiting = jobs.start_job(workspace, SHORT, "waiting")
    jobs.cancel(waiting)
    assert waiting.state == "cancelled"
    assert waiting.error == jobs.CANCELLED
    assert first.alive
    jobs.cancel(first)
