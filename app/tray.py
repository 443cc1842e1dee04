"""The tray of jobs in the sidebar of every page: what runs, how far, time left, cancel, log."""

import time
from collections.abc import Sequence

import streamlit as st

from app import refused
from app.errors import errors
from app.state import workspace
from pipeline.core.errors import UserError
from pipeline.core.text import duration
from pipeline.jobs.forecast import time_left_words
from pipeline.jobs.job import Job, cancel, jobs, start_job
from pipeline.store.snapshot import once

EVERY_S = 1.0


def launch(arguments: list[str], title: str, then: Sequence[tuple[list[str], str]] = ()) -> None:
    """Start a job from a page and show it at once; those of `then` wait behind it."""
    started = [start_job(workspace(), command, called) for command, called in [(arguments, title), *then]]
    st.session_state.setdefault("watched", set()).update(job.id for job in started)
    refused.remember(started)
    st.toast(f"Started: {title}", icon=":material/play_arrow:")
    st.rerun()


def live() -> list[Job]:
    """List the jobs that run or wait, oldest first."""
    return once("live jobs", lambda: [j for j in reversed(_jobs()[:20]) if j.alive])


def _jobs() -> list[Job]:
    return once("jobs", lambda: jobs(workspace()))


def show() -> None:
    """Draw the tray; it looks again every second while something runs, and has the page drawn anew when a step ends."""
    running = live()
    st.session_state["steps"] = _steps(running)
    st.session_state.setdefault("watched", set()).update(j.id for j in running)
    st.fragment(_tray, run_every=EVERY_S if running else None)()


@errors()
def _tray() -> None:
    running = live()
    ended = st.session_state["watched"] - {j.id for j in running}
    further = st.session_state["steps"] != _steps(running)
    if ended:
        st.session_state["watched"] -= ended
        for job in _jobs():
            if job.id in ended:
                _announce(job)
    if ended or further:
        st.rerun()
    st.markdown("**Jobs**")
    if not running:
        st.caption("Nothing is running.")
    for before, job in zip([None, *running], running, strict=False):
        card(job, before)
    _last_without_result()


def _announce(job: Job) -> None:
    icons = {"done": ":material/check_circle:", "cancelled": ":material/cancel:"}
    text = ". ".join(filter(None, [f"{job.title}: {job.state}", job.error]))
    st.toast(text, icon=icons.get(job.state, ":material/error:"))


def _steps(running: Sequence[Job]) -> dict[str, int]:
    """Give the step that each job is at: what the steps before it made is there."""
    return {job.id: int(job.progress.get("step", 0)) for job in running}


def card(job: Job, before: Job | None, place: str = "tray") -> None:
    """Draw a job in a `place`; `before` is the one that it has to wait for, if there is one."""
    progress = job.progress
    with st.container(border=True):
        st.markdown(job.title)
        if job.state == "queued":
            st.caption(f"waits for {before.title}" if before else "starting")
        else:
            st.progress(min(float(progress.get("fraction", 0.0)), 1.0))
            many = progress.get("steps", 1) > 1
            steps = f"step {progress['step']} of {progress['steps']}" if many else ""
            more = time_left_words(progress, time.time()) or f"for {duration(job.age_s)}"
            st.caption(" · ".join(p for p in (str(progress.get("stage", "starting")), steps, more) if p))
            st.caption(str(progress.get("text", "")))
        with st.popover("Command and log", width="stretch"):
            st.code(job.about["command"], language="bash", wrap_lines=True)
            st.code(job.log(30) or "nothing said yet", language=None, wrap_lines=True)
        if st.button("Cancel", key=f"cancel-{place}-{job.id}", width="stretch"):
            try:
                cancel(job)
            except UserError as error:
                st.toast(str(error))


def _last_without_result() -> None:
    """Say why the newest job has no result, where it has none."""
    newest = next(iter(_jobs()), None)
    if newest is not None and (error := newest.error):
        icon = ":material/cancel:" if newest.state == "cancelled" else ":material/error:"
        with st.expander(f"{newest.title}: {newest.state}", icon=icon):
            st.write(error)
            st.code(newest.log(20) or "nothing said", language=None, wrap_lines=True)
