"""What a person can mend is a sentence with the value, the rule and the way out; a defect is written down."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.store.workspace import write_json
from tests.conftest import cli


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], "name your clicks with --clicks"),
        (["run", "--clicks", "nowhere"], "There is no file nowhere"),
        (
            ["run", "--clicks", "shop", "--model", "popularity"],
            "makes no vectors to search with: choose one that does, such as session or two_tower",
        ),
        (["run", "--clicks", "shop", "--model", "two_towre"], "Did you mean two_tower or two_tower_published?"),
        (["run", "--clicks", "shop", "--index", "HNWS"], "Did you mean HNSW?"),
        (["run", "--clicks", "shop", "--epochs", "0"], "epochs 0 is out of range"),
        (["run", "--clicks", "shop", "--budget", "0"], "budget 0.0 is out of range: choose 0.01 to 10,000"),
        (["preprocess"], "is not there yet"),
        (["train"], "is not there yet"),
        (["train", "--model", "vsknn", "--set", "neighbors=3"], "Did you mean neighbours?"),
        (["train", "--model", "vsknn", "--set", "sample=x"], "sample 'x' is not a number"),
        (["train", "--model", "vsknn", "--set", "sample=5"], "choose 1 to sample, 5"),
        (["embed"], "run `train --model session`"),
        (["map"], "run `embed --model session`"),
        (["map", "--n-neighbors", "1"], "n_neighbors 1 is out of range"),
        (["evaluate"], "No model is trained yet"),
        (["evaluate", "--index", "x"], "There is no index 'x'"),
        (["evaluate", "--index", "x", "--exclude-seen"], "leave --exclude-seen out"),
        (["query", "--items", "a"], "run `train --model session`"),
        (["index", "build", "--build", "M=x"], "M 'x' is not a whole number"),
        (["index", "build", "--vectors", "users"], "There are no vectors of 'users'"),
        (["index", "build", "--use", "--vectors", "sessions"], "Only an index of items can be used"),
        (["index", "build", "--serve", "--search", "nprobe=8"], "HNSW has no parameter 'nprobe'"),
        (["index", "drop", "x"], "There is no index 'x'"),
        (["index", "append", "x", "--clicks", "shop"], "There is no index 'x'"),
        (["index", "upsert", "x", "--file", "y.parquet"], "There is no index 'x'"),
        (["index", "delete", "x", "--ids", "a"], "There is no index 'x'"),
        (["index", "show", "x"], "There is no index 'x'"),
        (["jobs", "show", "9"], "There is no job '9'"),
        (["trainings", "use", "x"], "There is no training 'x': the newest are none yet; `train` makes one"),
        (["trainings", "delete", "x"], "There is no training 'x'"),
        (["library", "bench"], "run `embed --model session`"),
        (["bench"], "run `embed --model session`"),
        (["bench", "show", "x"], "There is no benchmark run 'x'"),
    ],
)
def test_what_the_user_can_mend_is_a_sentence_and_code_2(tmp_path: Path, arguments: list[str], expected: str) -> None:
    ended = CliRunner().invoke(app, [*arguments, "--workspace", str(tmp_path / "ws"), "--json"])
    assert ended.exit_code == 2, ended.output
    assert expected in json.loads(ended.stdout.splitlines()[-1])["error"]


def test_a_defect_is_code_1_and_is_written_down(tmp_path: Path) -> None:
    write_json(tmp_path / "workspace.json", {"format": 1})  # no id: nobody but us writes that
    code, answer = cli(tmp_path, "ingest", "--clicks", "synthetic:100")
    assert code == 0, answer
    (tmp_path / "stages" / "clicks" / "manifest.json").write_text('{"metrics": 3}')
    code, answer = cli(tmp_path, "status")
    assert code == 1
    assert "A defect of the program" in answer["error"]
    assert "Traceback" in (tmp_path / "defect.log").read_text()


def test_another_versions_workspace_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "workspace.json", {"format": 7, "id": "x"})
    code, answer = cli(tmp_path, "status")
    assert code == 2
    assert "has format 7, this version reads format 1" in answer["error"]


def test_json_errors_are_json_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "query", "--workspace", str(tmp_path / "ws"), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert json.loads(ended.stdout.splitlines()[-1])["error"]
    assert ended.stderr.startswith("Error: ")
