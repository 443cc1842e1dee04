"""Tuning finds, on a real server, a setting that keeps what was asked, and says when there is none."""

import json
from pathlib import Path
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


CUT = ("--index", "IVF_FLAT", "--build", "nlist=48", "--recall", "0.8", "--trials", "5")


def test_a_run_that_was_cut_off_goes_on_as_if_it_never_was(served: Served) -> None:
    whole = bench(served.workspace.root, "tune", *VECTORS, *CUT, *FAST)
    before = runs.load_points(served.workspace, whole["run"])
    lines = _cut_off(served, whole["run"])
    (_rows(served, whole["run"])).write_text("".join([*lines[:4], lines[4][:20]]))
    assert runs.find_run(served.workspace, whole["run"]).status == "interrupted"
    again = bench(served.workspace.root, "tune", *VECTORS, *CUT, *FAST)
    assert (again["run"], again["trials"]) == (whole["run"], 5)
    after = runs.load_points(served.workspace, again["run"])
    assert after["search"].to_list() == before["search"].to_list(), "the same settings, in the same order"
    assert after[:4].drop("note").equals(before[:4].drop("note")), "what was measured is not measured again"
    assert again["best"]["qps"] == after.filter(pl.col("recall") >= 0.8)["qps"].max()
    assert runs.find_run(served.workspace, again["run"]).status == "done"


def test_a_point_that_failed_before_the_cut_stays_failed(served: Served) -> None:
    whole = bench(served.workspace.root, "tune", *VECTORS, *CUT, *FAST, "--name", "failed")
    lines = _cut_off(served, whole["run"])
    failed = json.loads(lines[2]) | {"error": "too slow", "qps": None, "recall": None}
    (_rows(served, whole["run"])).write_text("".join([*lines[:2], json.dumps(failed) + "\n", lines[3]]))
    again = bench(served.workspace.root, "tune", *VECTORS, *CUT, *FAST, "--name", "failed")
    after = runs.load_points(served.workspace, again["run"])
    assert (again["trials"], after.height) == (5, 5)  # the fifth may differ: the study was told otherwise of the third
    assert after["error"].to_list() == [None, None, "too slow", None, None]


def _rows(served: Served, run: str) -> Path:
    return served.workspace.root / runs.FOLDER / run / "rows.jsonl"


def _cut_off(served: Served, run: str) -> list[str]:
    """Leave a run as a kill does; give the lines of its rows."""
    (_rows(served, run).parent / "end.json").unlink()
    return _rows(served, run).read_text().splitlines(keepends=True)


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
