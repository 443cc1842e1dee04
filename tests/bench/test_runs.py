"""A benchmark run is read while it grows, and keeps what was measured whatever ends it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import polars as pl
import pytest

from pipeline.bench import runs
from pipeline.bench.analysis.settings import gather
from pipeline.bench.run.measuring import _not_finite
from pipeline.core.errors import Cancelled, UserError
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from tests.conftest import wait_for

WRITER = """
import sys, time
from pipeline.bench.runs import Recorder
from pipeline.store.workspace import Workspace
with Recorder(Workspace.open(sys.argv[1]), "long") as run:
    run.begin({"index": "HNSW"}, {"cores": 2}, {"python": "3.11"}, 0, 9)
    for n in range(100000):
        run.add({"scenario": "x" * 5000, "nq": n, "qps": n / 2})
"""
ABOUT = ({"index": "HNSW"}, {"cores": 2}, {"milvus": "2.3.5"}, 7, 3)


def test_points_are_read_while_the_run_lives_and_after_it(workspace: Workspace) -> None:
    with runs.Recorder(workspace, "one") as run:
        run.begin(*ABOUT)
        run.add({"index": "HNSW", "build": runs.packed({"b": 1, "a": 2}), "nq": 1, "qps": 10, "client_bound": False})
        living = runs.find_run(workspace, "one")
        assert (living.status, living.points, living.planned, living.seed) == ("running", 1, 3, 7)
        table = runs.load_points(workspace, "one")
        assert dict(table.schema) == runs.COLUMNS
        assert table.row(0, named=True)["build"] == '{"a": 2, "b": 1}'
        assert table["recall"].to_list() == [None]
        with pytest.raises(UserError, match="is running"):
            runs.drop(workspace, "one")
        with pytest.raises(UserError, match="is running"):
            runs.Recorder(workspace, "one")
    assert runs.find_run(workspace, "one").status == "done"
    runs.set_note(workspace, "one", "warm machine")
    assert [(r.name, r.note, r.config) for r in runs.list_runs(workspace)] == [("one", "warm machine", ABOUT[0])]
    runs.drop(workspace, "one")
    assert runs.list_runs(workspace) == []


def test_points_of_before_a_column_was_added_are_read_without_it(workspace: Workspace) -> None:
    with runs.Recorder(workspace, "old") as run:
        run.begin(*ABOUT)
        row = run.add({"nq": 1, "memory_mb": 5.0, "server_memory_mb": 7.0})
    path = workspace.root / runs.FOLDER / "old" / "rows.jsonl"
    path.write_text(json.dumps({name: value for name, value in row.items() if not name.startswith("server_")}) + "\n")
    table = runs.load_points(workspace, "old")
    assert dict(table.schema) == runs.COLUMNS
    assert table.select("memory_mb", "server_memory_mb").row(0) == (5.0, None)


def test_a_name_that_is_taken_by_other_settings_is_refused_and_what_is_there_stays(workspace: Workspace) -> None:
    with runs.Recorder(workspace, "one") as run:
        run.begin(*ABOUT)
        run.add({"nq": 1})
    before = runs.find_run(workspace, "one")
    with pytest.raises(UserError, match="is there with other settings"), runs.Recorder(workspace, "one") as run:
        run.begin({"index": "FLAT"}, *ABOUT[1:])
    assert runs.find_run(workspace, "one") == before


def test_a_run_says_how_it_ended_and_goes_on_with_its_points(workspace: Workspace) -> None:
    for error, state in ((Cancelled(), "cancelled"), (UserError("The disk is full."), "failed")):
        with pytest.raises(type(error)), runs.Recorder(workspace, "one") as run:
            run.begin(*ABOUT)
            run.add({"nq": 1})
            raise error
        assert runs.find_run(workspace, "one").status == state
    assert runs.find_run(workspace, "one").points == 2
    assert runs.find_run(workspace, "one").error == "The disk is full."


def test_a_kill_leaves_whole_points_and_the_next_ones_follow_them(workspace: Workspace) -> None:
    path = workspace.root / "benchmarks" / "long" / "rows.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(workspace.root)])
    wait_for(lambda: path.exists() and path.stat().st_size > 200_000)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    with path.open("ab") as file:
        file.write(b'{"scenario": "cut o')
    assert runs.find_run(workspace, "long").status == "interrupted"
    before = runs.load_points(workspace, "long")
    assert before["nq"].to_list() == list(range(before.height))
    with runs.Recorder(workspace, "long") as run:
        run.begin(*ABOUT)
        run.add({"nq": before.height})
    after = runs.load_points(workspace, "long")
    assert after["nq"].to_list() == list(range(before.height + 1))


def test_names_and_unknown_runs_are_refused_in_sentences(workspace: Workspace) -> None:
    for name in ("", "../x", "A b"):
        with pytest.raises(UserError, match="cannot name a benchmark run"):
            runs.Recorder(workspace, name)
    with pytest.raises(UserError, match="There is no benchmark run 'x': there are none yet"):
        runs.load_points(workspace, "x")
    with runs.Recorder(workspace, "first") as run:
        run.begin(*ABOUT)
    assert runs.load_points(workspace, "first").equals(pl.DataFrame(schema=runs.COLUMNS))
    with pytest.raises(UserError, match="Did you mean first"):
        runs.load_points(workspace, "frst")


@dataclass(frozen=True)
class _Drawn:
    seed: int


def test_a_run_is_out_of_date_when_its_vectors_are_replaced(workspace: Workspace) -> None:
    def made(seed: int) -> str:
        done = run_stage(workspace, "vectors/session", _Drawn(seed), lambda folder, report: {})
        return str(done.manifest["key"])

    with runs.Recorder(workspace, "one") as run:
        run.begin(*ABOUT, vectors={"vectors/session": made(1)})
        run.add({"nq": 1})
    assert not gather(workspace, ["one"])["stale"][0]
    made(2)
    assert gather(workspace, ["one"])["stale"][0]
    made(1)
    assert not runs.is_run_stale(workspace, runs.find_run(workspace, "one"))


def test_a_figure_that_is_no_number_is_written_as_null_and_fails_its_point(workspace: Workspace) -> None:
    assert _not_finite({"recall": float("nan"), "qps": 3.0, "p99_ms": float("inf"), "nq": 1}) == ["recall", "p99_ms"]
    with runs.Recorder(workspace, "strange") as run:
        run.begin(*ABOUT)
        run.add({"recall": float("nan"), "qps": float("inf"), "error": "Its recall came out as no finite number"})
    assert "NaN" not in (workspace.root / runs.FOLDER / "strange" / "rows.jsonl").read_text()
    assert runs.load_points(workspace, "strange").select("recall", "qps").row(0) == (None, None)
