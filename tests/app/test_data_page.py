"""The Data page names the clicks that it shows, and says so where the sessions below are of other ones."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.core.project import PROJECT
from pipeline.store.workspace import MANIFEST, WORKSPACE_VARIABLE, Workspace, write_json

PAGE = PROJECT / "pages" / "data.py"


def _said(page: AppTest) -> str:
    assert not page.run().exception
    return "\n".join(shown.value for shown in [*page.markdown, *page.caption])


def test_sessions_of_other_clicks_are_told_apart(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    log = tmp_path / "visits *new*.csv"
    log.write_text(
        "session,time,item\n" + "".join(f"s{n},2024-01-0{n + 1},a\ns{n},2024-01-0{n + 1},b\n" for n in range(5))
    )
    read = ingest(workspace, ClickSource(str(log))).manifest
    (workspace.stage("data")).mkdir(parents=True)
    split = {"train_sessions": 4, "test_sessions": 1, "boundary": "2024-01-05T00:00:00"}
    about = {"key": "k", "metrics": split, "inputs": {"clicks": read["key"]}}
    write_json(workspace.stage("data") / MANIFEST, about)
    page = AppTest.from_file(str(PAGE), default_timeout=30)
    assert r"Read last: visits \*new\*\.csv" in _said(page)
    assert "clicks that were read earlier" not in _said(page)
    write_json(workspace.stage("data") / MANIFEST, about | {"inputs": {"clicks": "earlier"}})
    assert "clicks that were read earlier" in _said(page)


@pytest.mark.parametrize("read", [False, True])
def test_the_whole_pipeline_takes_the_options_that_are_shown(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: bool
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    launched: list[list[str]] = []
    monkeypatch.setattr("app.tray.launch", lambda arguments, title: launched.append(arguments))
    if read:
        log = tmp_path / "visits.csv"
        log.write_text("session,time,item\n" + "".join(f"s{n},2024-01-0{1 + n // 2},a\n" for n in range(10)))
        ingest(workspace, ClickSource(str(log)))
    page = AppTest.from_file(str(PAGE), default_timeout=30)
    page.query_params["min_session_length"], page.query_params["train_on"] = "3", "1/64"
    page.run()
    next(button for button in page.button if button.label == "Run the whole pipeline").click().run()
    assert not page.exception
    assert launched == [["run", "--clicks", "shop", "--data", "train_share=0.015625", "--data", "min_session_length=3"]]
    assert "takes the options of “What is kept” below" in "\n".join(shown.value for shown in page.caption)


@pytest.mark.parametrize(("longest", "together"), [(2, False), (20, False), (21, True)])
def test_long_sessions_are_said_to_be_together_only_where_there_are_some(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longest: int, together: bool
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    log = tmp_path / "visits.csv"
    long = "".join(f"s,2024-01-{n + 1:02},a\n" for n in range(longest))
    log.write_text(f"session,time,item\nt,2024-01-01,a\nt,2024-01-02,b\n{long}")
    ingest(workspace, ClickSource(str(log)))
    page = AppTest.from_file(str(PAGE), default_timeout=30).run()
    assert not page.exception
    drawn = next(c.proto.spec for c in page.get("plotly_chart") if "clicks in the session" in c.proto.spec)
    assert ("20 and more together" in drawn) == together
