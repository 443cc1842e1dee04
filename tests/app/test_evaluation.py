"""The Train page says where a few sessions make most of what is measured, and lets them be bounded."""

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace
from tests.made import clicks as made


def _page() -> None:
    from app.train import evaluation

    evaluation.show()


def test_a_robot_is_told_and_can_be_bounded(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    made.data(workspace)
    command = ["--workspace", str(workspace.root), "--json"]
    CliRunner().invoke(app, ["train", "--model", "popularity", *command])
    CliRunner().invoke(app, ["evaluate", *command])
    page = AppTest.from_function(_page, default_timeout=60).run()
    assert not page.exception
    assert not page.warning
    assert not page.number_input
    made.data(workspace, key="robot")
    made.with_robot(3000).write_parquet(workspace.stage("data") / "test" / "part_0.parquet")
    CliRunner().invoke(app, ["train", "--model", "popularity", *command])
    CliRunner().invoke(app, ["evaluate", *command])
    CliRunner().invoke(app, ["evaluate", "--max-clicks", "5", *command])
    page = page.run()
    assert not page.exception
    assert "the longest session makes 2,999" in page.warning[0].value
    page.number_input[0].set_value(5).run()
    assert not page.exception
    assert not page.warning
    assert page.query_params["most"] == ["5"]
    assert any("Measured here on 1" in caption.value for caption in page.caption), [c.value for c in page.caption]
