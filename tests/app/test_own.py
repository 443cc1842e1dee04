"""A path on the machine is offered only to who sits at it: the app listens there only, and nobody forwards."""

from types import SimpleNamespace

import pytest
import streamlit as st

from app import own


@pytest.mark.parametrize(
    ("address", "headers", "shared", "expected"),
    [
        ("127.0.0.1", {"Host": "127.0.0.1:8501"}, "", True),
        ("localhost", {"Host": "localhost:8501"}, "", True),
        ("127.0.0.1", {"Host": "[::1]:8501"}, "", True),
        ("0.0.0.0", {"Host": "127.0.0.1:8501"}, "", False),
        (None, {"Host": "127.0.0.1:8501"}, "", False),
        ("127.0.0.1", {"Host": "shop.example.org"}, "", False),
        ("127.0.0.1", {"Host": "127.0.0.1:8501", "X-Forwarded-For": "10.0.0.7"}, "", False),
        ("127.0.0.1", {"Host": "127.0.0.1:8501"}, "1", False),
        ("127.0.0.1", {}, "", False),
    ],
)
def test_whose_app_it_is(
    monkeypatch: pytest.MonkeyPatch, address: str | None, headers: dict[str, str], shared: str, expected: bool
) -> None:
    monkeypatch.setattr(st, "get_option", {"server.address": address}.get)
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=headers))
    monkeypatch.setenv(own.SHARED_VARIABLE, shared)
    assert own.is_own() is expected
