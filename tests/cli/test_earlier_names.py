"""Commands and options that have a new name keep the old one, which help does not list."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from tests.conftest import cli_here


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (["trainings", "use", "x"], ["trainings", "serve", "x"]),
        (["index", "use", "x"], ["index", "serve", "x"]),
        (["index", "build", "--use", "--vectors", "sessions"], ["index", "build", "--serve", "--vectors", "sessions"]),
    ],
)
def test_an_earlier_name_does_the_same(tmp_path: Path, now: list[str], before: list[str]) -> None:
    code, answer = cli_here(tmp_path / "ws", *now)
    assert code == 2
    assert cli_here(tmp_path / "ws", *before) == (code, answer)


@pytest.mark.parametrize("group", [["trainings"], ["index"], ["index", "build"]])
def test_help_lists_the_new_name_alone(group: list[str]) -> None:
    said = CliRunner().invoke(app, [*group, "--help"]).output
    assert "use" in said
    assert "serve" not in said.replace("server", "")
