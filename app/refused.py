"""What a job refused, said at the top of the page where it was started, until it is dismissed or another is started."""

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from app.state import workspace
from pipeline.core.errors import UserError
from pipeline.jobs.job import Job, job

_STARTED = "started-from-a-page"


def remember(started: Sequence[Job]) -> None:
    """Keep the jobs that this visitor started last, by one press."""
    st.session_state[_STARTED] = [one.id for one in started]


def show() -> None:
    """Say why the jobs that this visitor started last have no result, of those that failed."""
    failed = [found for found in _last() if found.state in ("failed", "killed")]
    if not failed:
        return
    said, button = st.columns([6, 1], vertical_alignment="center")
    for found in failed:
        said.error(f"**{found.title}** – {found.error}", icon=":material/error:")
    button.button("Dismiss", key="dismiss-refused", width="stretch", on_click=_dismiss)


def _last() -> list[Job]:
    found = []
    for number in st.session_state.get(_STARTED, []):
        with suppress(UserError):  # so old that it was forgotten
            found.append(job(workspace(), number))
    return found


def _dismiss() -> None:
    st.session_state.pop(_STARTED, None)
