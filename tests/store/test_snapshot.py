"""A draw reads nothing twice, and the next one sees what others have published."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store import snapshot as module
from pipeline.store.snapshot import forget, once, snapshot
from pipeline.store.stage import is_stale
from pipeline.store.workspace import MANIFEST, Workspace, write_json

_PUBLISH = """
import sys
from pipeline.store.workspace import MANIFEST, Workspace, write_json
with Workspace.open(sys.argv[1]).writing(sys.argv[2]) as folder:
    write_json(folder / MANIFEST, {"key": sys.argv[3], "inputs": {}})
"""


def _publish(workspace: Workspace, name: str, key: str, inputs: dict[str, str] | None = None) -> None:
    with workspace.writing(name) as folder:
        write_json(folder / MANIFEST, {"key": key, "inputs": inputs or {}})


def _by_another_process(root: Path, name: str, key: str) -> None:
    subprocess.run([sys.executable, "-c", _PUBLISH, str(root), name, key], check=True)


def _key(workspace: Workspace, name: str) -> Any:
    return (workspace.manifest(name) or {}).get("key")


def test_the_next_draw_sees_what_another_process_published(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LASTS_S", 60.0)  # the other process takes longer than a draw
    _publish(workspace, "a", "first")
    _publish(workspace, "b", "b", {"a": "first"})
    with snapshot():
        output = workspace.output("a")
        assert (_key(workspace, "a"), is_stale(workspace, "b"), workspace.stages()) == ("first", False, ["a", "b"])
        _by_another_process(workspace.root, "a", "second")
        _by_another_process(workspace.root, "c", "c")
        assert (_key(workspace, "a"), is_stale(workspace, "b"), workspace.stages()) == ("first", False, ["a", "b"])
        assert _key(Workspace.open(workspace.root), "a") == "first"
    for _ in range(2):
        with snapshot():
            assert (_key(workspace, "a"), is_stale(workspace, "b")) == ("second", True)
            assert workspace.stages() == ["a", "b", "c"]
            assert workspace.output("a") != output


def test_a_draw_that_waits_sees_it_too(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    _publish(workspace, "a", "first")
    with snapshot():
        assert _key(workspace, "a") == "first"
        _by_another_process(workspace.root, "a", "second")
        monkeypatch.setattr(module, "_LASTS_S", 0.0)
        assert _key(workspace, "a") == "second"


@given(st.lists(st.sampled_from(["publish", "move", "remove", "read"]), max_size=12))
def test_a_draw_sees_what_it_writes_itself(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    workspace = Workspace.open(tmp_path_factory.mktemp("ws"))
    expected: dict[str, str] = {}
    with snapshot():
        for number, step in enumerate(steps):
            if step == "publish":
                _publish(workspace, "x/a", str(number))
                expected["x/a"] = str(number)
            elif step == "move" and "x/a" in expected and "x/b" not in expected:
                workspace.move("x/a", "x/b")
                expected["x/b"] = expected.pop("x/a")
            elif step == "remove":
                workspace.remove("x/b")
                expected.pop("x/b", None)
            assert {name: _key(workspace, name) for name in workspace.stages("x")} == expected
            assert bool(workspace.output("x/a")) == ("x/a" in expected)


def test_nothing_is_read_twice_in_a_draw_and_everything_without_one() -> None:
    asked: list[int] = []

    def read() -> int:
        asked.append(len(asked))
        return len(asked)

    assert [once("a", read), once("a", read)] == [1, 2]
    with snapshot():
        assert [once("a", read), once("a", read), once("b", read)] == [3, 3, 4]
        forget()
        assert [once("a", read), once("a", read)] == [5, 5]
    with snapshot():
        assert once("a", read) == 6


def test_a_reading_during_which_something_is_written_is_not_kept() -> None:
    def read() -> str:
        forget()
        return "old"

    with snapshot():
        assert once("a", read) == "old"
        assert once("a", lambda: "new") == "new"
