"""The door of every page: what a person can mend is said in a box, and what was not foreseen is one sentence and a log entry."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler

import streamlit as st

from app import state
from pipeline.core.errors import UserError
from pipeline.store.workspace import disk_refusal

LOG = "app.log"  # in the workspace
_BYTES = 1_000_000


@contextmanager
def errors() -> Iterator[None]:
    """Show an error instead of failing; one that was not foreseen is written to the workspace's app.log with a reference."""
    try:
        yield
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    except Exception as error:  # the door of a page: nothing may end in a traceback on the screen
        if refusal := disk_refusal(error):
            st.error(refusal, icon=":material/error:")
            return
        reference = uuid.uuid4().hex[:8]
        _write(reference)
        st.error(
            f"This part of the page could not be drawn, because of an error in the program. Reload the page or go to another one; if it happens again, "
            f"report reference {reference}; the details are in {LOG} in the workspace.",
            icon=":material/error:",
        )


def _write(reference: str) -> None:
    logger = logging.getLogger("click-road")
    logger.exception("reference %s", reference)  # to the terminal as well
    try:
        handler = RotatingFileHandler(state.root() / LOG, maxBytes=_BYTES, backupCount=1)
    except OSError:
        return  # a full or read-only disk: the terminal has it
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.exception("reference %s", reference)
    logger.removeHandler(handler)
    handler.close()
