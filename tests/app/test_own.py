"""A path on the machine is offered only to who sits at it: the app listens there only, and nobody forwards."""

from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import own
from pipeline.core.project import PROJECT
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace


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


@pytest.mark.parametrize("page", ["data", "workspaces"])
@pytest.mark.parametrize("own_app", [False, True])
def test_pages_tell_a_path_only_to_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, page: str, own_app: bool
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    monkeypatch.setattr(f"app.{'data.choose' if page == 'data' else 'own'}.is_own", lambda: own_app)
    drawn = AppTest.from_file(str(PROJECT / "pages" / f"{page}.py"), default_timeout=30)
    drawn.query_params["data"] = "file"
    assert not drawn.run().exception
    said = "\n".join([shown.value for shown in drawn.caption] + [shown.label for shown in drawn.text_input])
    told = "a path on this machine" in said if page == "data" else str(workspace.root.parent) in said
    assert told is own_app
