"""Whether the app is its visitor's own: who sits at the machine may name paths on it, others send files."""

import os
from urllib.parse import urlsplit

import streamlit as st

SHARED_VARIABLE = "CLICK_ROAD_SHARED"  # set by who puts a proxy before the app that forwards nothing but requests
_HERE = {"127.0.0.1", "localhost", "::1"}
_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")


def is_own() -> bool:
    """Tell whether the app listens on this machine only, and the request names it and was forwarded by nobody."""
    if os.environ.get(SHARED_VARIABLE) or st.get_option("server.address") not in _HERE:
        return False
    headers = st.context.headers
    host = urlsplit(f"//{headers.get('Host', '')}").hostname
    return host in _HERE and not any(name in headers for name in _FORWARDED)
