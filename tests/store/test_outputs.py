"""What a person names to be written is refused before the work begins, and is written whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.bench.runs import Recorder
from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.jobs import job
from pipeline.store.outputs import check_target, written
from pipeline.store.workspace import Workspace

DATA = ["bench", "data", "--model", "synthetic:3000,3000,8", "--metric", "L2", "--queries", "20", "--top-k", "3"]
COMMANDS = {
    "data.hdf5": [*DATA, "--out"],
    "data": [*DATA, "--form", "vectordbbench", "--out"],
    "points.csv": ["bench", "export", "mine", "--out"],
    "report.html": ["bench", "report", "mine", "--out"],
    "new.parquet": ["vectors", "describe", "items.csv", "--to"],
}


def _ask(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = CliRunner().invoke(app, [*arguments, "--workspace", str(workspace.root), "--json"])
    return ended.exit_code, json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", COMMANDS)
def test_what_cannot_be_written_is_refused_before_the_work(workspace: Workspace, tmp_path: Path, name: str) -> None:
    target, folder = tmp_path / name, tmp_path / f"folder.{name}"
    target.write_text("mine")
    (folder / "full").mkdir(parents=True)
    file = tmp_path / "file"
    file.touch()
    refused = {
        target: "is there" if name == "data" else "is there already: name another, or add --force to replace it",
        folder: "is there already" if name == "data" else "is a folder, and a file is written",
        tmp_path / "none" / name: f"there is no folder {tmp_path / 'none'}: make it first",
        file / name: f"there is no folder {file}",
        Path("/proc") / name: "could not be written",
        tmp_path / f"{'x' * 300}{name}": "could not be written (File name too long)",
    }
    for path, sentence in refused.items():
        code, answer = _ask(workspace, *COMMANDS[name], str(path))
        assert (code, sentence in answer["error"]) == (2, True), (path, answer)
        assert str(path) in answer["error"]
    assert target.read_text() == "mine"
    assert job.jobs(workspace) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["ws", "file", name, folder.name])


@pytest.mark.parametrize(("form", "name"), [("hdf5", "data.hdf5"), ("vectordbbench", "data")])
def test_it_is_written_again_only_by_force(workspace: Workspace, tmp_path: Path, form: str, name: str) -> None:
    target = tmp_path / name
    command = [*DATA, "--form", form, "--out", str(target)]
    code, answer = _ask(workspace, *command)
    assert code == 0
    assert all(Path(file).is_file() and Path(file).is_relative_to(target) for file in answer["files"])
    assert _ask(workspace, *command)[0] == 2
    kept = target / "notes.txt" if form == "vectordbbench" else tmp_path / "notes.txt"
    kept.write_text("mine")
    assert _ask(workspace, *command, "--force") == (0, answer)
    assert kept.exists()
    assert not list(tmp_path.glob(".*"))


def test_a_form_that_cannot_hold_the_metric_is_refused_before_the_work(workspace: Workspace, tmp_path: Path) -> None:
    code, answer = _ask(workspace, "bench", "data", "--metric", "IP", "--out", str(tmp_path / "data.hdf5"))
    assert (code, "add --metric L2 or --metric COSINE" in answer["error"]) == (2, True)
    assert job.jobs(workspace) == []


def test_a_run_is_written_in_the_form_of_its_ending(workspace: Workspace, tmp_path: Path) -> None:
    with Recorder(workspace, "mine") as run:
        run.begin({}, {}, {}, 0, 1)
    code, answer = _ask(workspace, "bench", "export", "mine", "--out", str(tmp_path / "points.xls"))
    assert (code, "does not end in .csv, .parquet or .json" in answer["error"]) == (2, True)
    for suffix in (".csv", ".parquet", ".json"):
        assert _ask(workspace, "bench", "export", "mine", "--out", str(tmp_path / f"points{suffix}"))[0] == 0


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "points.csv"
    target.write_text("before")
    with pytest.raises(RuntimeError), written(target) as path:
        path.write_text("half")
        raise RuntimeError
    with pytest.raises(UserError, match="could not be written .No space left on device.: free disk space"):
        with written(target) as path:
            path.write_text("half")
            raise OSError(28, "No space left on device")
    assert [p.name for p in tmp_path.iterdir()] == ["points.csv"]
    assert target.read_text() == "before"


def test_a_link_stays_a_link_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    check_target(tmp_path / "link.csv", replace=False)  # it leads to nothing yet
    with written(tmp_path / "link.csv") as path:
        path.write_text("new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
    with pytest.raises(UserError, match="is there already"):
        check_target(tmp_path / "link.csv", replace=False)
