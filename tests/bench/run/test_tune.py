"""Tuning finds, on a real server, a setting that keeps what was asked, and says when there is none."""

import json
from typing import Any

import polars as pl
import pytest

from pipeline.bench import runs
from tests.bench.conftest import Served
from tests.bench.run.test_sweep import VECTORS, bench

pytestmark = pytest.mark.milvus
FAST = ("--nq", "100", "--concurrency", "1", "--top-k", "10", "--seconds", "0.1")


def test_the_best_setting_keeps_the_recall(served: Served) -> None:
    options = ("--index", "IVF_FLAT", "--build", "nlist=32", "--recall", "0.9", "--trials", "8")
    answer: dict[str, Any] = bench(served.workspace.root, "tune", *VECTORS, *options, *FAST)
    table = runs.load_points(served.workspace, answer["run"])
    assert answer["trials"] == table.height == 8
    assert table.unique("search").height == 8, "no setting twice"
    kept = table.filter(table["recall"] >= 0.9)
    assert answer["best"]["qps"] == kept["qps"].max()
    assert answer["best"]["recall"] >= 0.9
    assert table["build"].unique().len() == 1
    again = bench(served.workspace.root, "--resume", answer["run"], code=2)
    assert "goes on when the same `bench tune` is asked again" in again["error"]
    other = (*options[:-1], "9", "--name", answer["run"])
    assert "with other settings" in bench(served.workspace.root, "tune", *VECTORS, *other, *FAST, code=2)["error"]


def test_a_run_that_was_cut_off_goes_on_as_if_it_never_was(served: Served) -> None:
    options = ("--index", "IVF_FLAT", "--build", "nlist=48", "--recall", "0.8", "--trials", "5")
    whole = bench(served.workspace.root, "tune", *VECTORS, *options, *FAST)
    before = runs.load_points(served.workspace, whole["run"])
    folder = served.workspace.root / runs.FOLDER / whole["run"]
    lines = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    failed = json.loads(lines[2]) | {"error": "too slow", "qps": None, "recall": None}
    (folder / "rows.jsonl").write_text("".join([*lines[:2], json.dumps(failed) + "\n", lines[3], lines[4][:20]]))
    (folder / "end.json").unlink()  # as a kill leaves it
    assert runs.find_run(served.workspace, whole["run"]).status == "interrupted"
    again = bench(served.workspace.root, "tune", *VECTORS, *options, *FAST)
    assert (again["run"], again["trials"]) == (whole["run"], 5)
    after = runs.load_points(served.workspace, again["run"])
    assert after["search"].to_list() == before["search"].to_list(), "the same settings, in the same order"
    kept = [0, 1, 3]
    assert after[kept].drop("note").equals(before[kept].drop("note")), "what was measured is not measured again"
    assert after["error"].to_list() == [None, None, "too slow", None, None]
    assert again["best"]["qps"] == after.filter(pl.col("recall") >= 0.8)["qps"].max()
    assert runs.find_run(served.workspace, again["run"]).status == "done"


def test_where_none_keeps_it_the_nearest_is_told_and_a_small_space_ends_early(served: Served) -> None:
    options = (
        "--index",
        "IVF_FLAT",
        "--build",
        "nlist=64",
        "--search",
        "nprobe=1,2",
        "--recall",
        "1",
        "--trials",
        "20",
    )
    answer = bench(served.workspace.root, "tune", *VECTORS, *options, *FAST)
    assert answer["best"] is None
    assert answer["trials"] == 2
    assert '"nprobe": 2' in answer["nearest"]["search"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [(["--recall", "2"], "recall 2.0 is out of range"), (["--recall", "0.9", "--p99", "0"], "p99 0.0 ms is out"),
     (["--recall", "0.9", "--trials", "0"], "0 trials are out of range")],
)  # fmt: skip
def test_goals_that_cannot_be_are_refused(served: Served, options: list[str], expected: str) -> None:
    assert expected in bench(served.workspace.root, "tune", *VECTORS, *options, code=2)["error"]
