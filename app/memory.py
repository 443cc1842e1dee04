"""Collects garbage by time, in place of Streamlit's collection after every rerun, which makes other visitors wait."""

import gc
import threading
import time

import streamlit as st

_EVERY_S = 60.0


@st.cache_resource(show_spinner=False)
def collect_by_time() -> None:
    """Leave what was loaded by now out of every later collection, and collect the rest each minute; once a process."""
    gc.collect()
    gc.freeze()
    threading.Thread(target=_collect, name="collect garbage", daemon=True).start()


def _collect() -> None:
    while True:
        time.sleep(_EVERY_S)
        gc.collect()
