"""What a job refused, said below the button that started it, until it is dismissed or another job is started."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.state import workspace
from pipeline.core.errors import UserError
from pipeline.jobs.job import Job, job

_STARTED, _SAID = "started-from-a-page", "refused-is-said"
_NOWHERE: tuple[str, list[str]] = ("", [])
_place: ContextVar[str] = ContextVar("place", default="")


@contextmanager
def below(place: str) -> Iterator[None]:
    """Say below what is drawn within why the jobs started there failed; `place` names it, once on a page."""
    before = _place.set(place)
    try:
        yield
    finally:
        _place.reset(before)
    if st.session_state.get(_STARTED, _NOWHERE)[0] == place:
        st.session_state[_SAID] = True
        _say(st.container(), place)


def remember(started: Sequence[Job]) -> None:
    """Keep the jobs that this visitor started last, by one press, and where that was."""
    st.session_state[_STARTED] = (_place.get(), [one.id for one in started])


@contextmanager
def elsewhere() -> Iterator[None]:
    """Draw a page within; say at its top what was refused where the place that started it is not drawn."""
    top = st.container()
    st.session_state[_SAID] = False
    yield
    if not st.session_state[_SAID]:
        _say(top, "top")


def _say(where: DeltaGenerator, place: str) -> None:
    """Say why the jobs that this visitor started last have no result, of those that failed."""
    failed = [found for found in _last() if found.state in ("failed", "killed")]
    if not failed:
        return
    said, button = where.columns([6, 1], vertical_alignment="center")
    for found in failed:
        said.error(f"**{found.title}** – {found.error}", icon=":material/error:")
    button.button("Dismiss", key=f"dismiss-{place}", width="stretch", on_click=_dismiss)


def _last() -> list[Job]:
    found = []
    for number in st.session_state.get(_STARTED, _NOWHERE)[1]:
        with suppress(UserError):  # so old that it was forgotten
            found.append(job(workspace(), number))
    return found


def _dismiss() -> None:
    st.session_state.pop(_STARTED, None)
