"""Workspaces are made, copied, renamed, deleted with undo and sent as one file; whole or not at all."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.core.errors import UserError
from pipeline.core.project import PROJECT
from pipeline.search.embedded.server import connect
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.preprocess import preprocess
from pipeline.store.locks import locked
from pipeline.store.workspace import Workspace
from pipeline.workspaces import changes, copies, places
from tests.conftest import cli_here, wait_for


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """Give a workspace with clicks and sessions, in a folder of its own."""
    workspace = Workspace.open(tmp_path / "mine")
    ingest(workspace, ClickSource("shop:200"))
    preprocess(workspace, PreprocessConfig())
    return workspace.root


def _names(opened: Path) -> list[str]:
    return [one.name for one in places.list_workspaces(opened)]


def _files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.parquet")}


def test_they_are_listed_with_what_they_hold(opened: Path) -> None:
    changes.create(opened, "empty")
    mine, empty = places.list_workspaces(opened)
    assert (mine.name, mine.is_open, mine.source, mine.stages, mine.busy) == ("mine", True, "shop:200", 2, "")
    assert mine.clicks
    assert mine.bytes > 10_000
    assert (empty.name, empty.is_open, empty.clicks, empty.stages) == ("empty", False, None, 0)
    with locked(opened / "writer.lock"):
        assert places.list_workspaces(opened)[0].busy == "a job"


def test_a_copy_shares_what_never_changes_and_has_an_id_of_its_own(opened: Path) -> None:
    (opened / "milvus").mkdir()
    (opened / "milvus" / "password").write_text("secret")
    (opened / "past.json").write_text("{}")
    copy = Workspace.open(copies.duplicate(opened, "mine", "copy"))
    assert copy.id != Workspace.open(opened).id
    assert _files(copy.root) == _files(opened)
    assert copy.stages() == ["clicks", "data"]
    clicks = "stages/clicks/clicks.parquet"
    assert (copy.root / clicks).stat().st_ino == (opened / clicks).stat().st_ino
    assert (copy.root / "past.json").stat().st_ino != (opened / "past.json").stat().st_ino
    assert not (copy.root / "milvus").exists()
    preprocess(copy, PreprocessConfig(min_item_count=2))  # what is made anew there leaves the first as it was
    assert _files(copy.root) != _files(opened)
    assert preprocess(Workspace.open(opened), PreprocessConfig()).skipped


def test_deleting_is_undone_and_purging_is_not(opened: Path) -> None:
    copies.duplicate(opened, "mine", "copy")
    before = _files(opened.parent / places.HOME / "copy")
    assert changes.delete(opened, "copy") == "copy"
    assert _names(opened) == ["mine"]
    copies.duplicate(opened, "mine", "copy")
    assert changes.delete(opened, "copy") == "copy-2", "two of one name are both kept"
    assert [one.name for one in places.list_deleted(opened)] == ["copy", "copy-2"]
    assert _files(changes.restore(opened, "copy")) == before
    assert changes.purge(opened) == ["copy-2"]
    assert places.list_deleted(opened) == []
    with pytest.raises(UserError, match="No deleted workspace 'copy-2' can be restored or purged: none can be"):
        changes.restore(opened, "copy-2")


def test_one_file_holds_it_all(opened: Path, tmp_path: Path) -> None:
    (opened / "servers").mkdir()
    (opened / "servers" / "mine.json").write_text('{"token": "secret"}')
    file = tmp_path / "sent.tar"
    assert copies.export(opened, "mine", file) == file.stat().st_size
    with tarfile.open(file) as archive:
        assert not any("servers" in name or "lock" in name for name in archive.getnames())
    read = Workspace.open(copies.import_file(opened, file, "read"))
    assert _files(read.root) == _files(opened)
    assert read.id != Workspace.open(opened).id
    assert preprocess(read, PreprocessConfig()).skipped


def _tar(path: Path, **files: str) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.txt": "x"}, "is no exported workspace, or is damaged"),
        ({"workspace.json": '{"format": 99}'}, "is no workspace of format 1"),
        ({"workspace.json": '{"format": 1}', "..__..__escaped": "x"}, "is no exported workspace, or is damaged"),
    ],
)
def test_what_is_no_workspace_is_refused(opened: Path, tmp_path: Path, files: dict[str, str], expected: str) -> None:
    path = _tar(tmp_path / "bad.tar", **files)
    with pytest.raises(UserError, match=expected):
        copies.import_file(opened, path, "bad")
    assert _names(opened) == ["mine"]
    assert not list(tmp_path.rglob("escaped"))
    assert not list(tmp_path.rglob(f"{places.FRESH}*"))


def test_a_file_that_was_cut_off_is_refused(opened: Path, tmp_path: Path) -> None:
    file = tmp_path / "sent.tar"
    copies.export(opened, "mine", file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(UserError, match="is no exported workspace, or is damaged"):
        copies.import_file(opened, file, "bad")
    assert _names(opened) == ["mine"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "é", "x" * 61, "a b"])
def test_a_name_that_is_none_is_told(opened: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be called"):
        changes.create(opened, name)


def test_what_is_open_or_busy_stays(opened: Path) -> None:
    copies.duplicate(opened, "mine", "copy")
    with pytest.raises(UserError, match="'mine' is the workspace that is open here and cannot be deleted"):
        changes.delete(opened, "mine")
    with pytest.raises(UserError, match="There is a workspace 'copy' already"):
        changes.create(opened, "copy")
    with pytest.raises(UserError, match="There is no workspace 'cpoy': there are mine, copy. Did you mean copy"):
        changes.rename(opened, "cpoy", "other")
    with (
        locked(opened.parent / places.HOME / "copy" / "writer.lock"),
        pytest.raises(UserError, match="A job runs in 'copy'"),
    ):
        changes.delete(opened, "copy")
    assert _names(opened) == ["mine", "copy"]


_SLOWLY = """
import sys, time
from pathlib import Path
from pipeline.workspaces import copies
put = copies.put
def slowly(part, target):
    put(part, target)
    time.sleep(0.2)
copies.put = slowly
copies.duplicate(Path(sys.argv[1]), "mine", "copy")
"""


def test_a_copy_that_was_killed_leaves_nothing(opened: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _SLOWLY, str(opened)], cwd=PROJECT)
    home = opened.parent / places.HOME
    wait_for(lambda: len(list(home.glob(f"{places.FRESH}*/stages/*"))) > 0, 30, "the copy to begin")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert _names(opened) == ["mine"]
    copies.duplicate(opened, "mine", "copy")
    assert not list(home.glob(f"{places.FRESH}*"))
    assert _files(home / "copy") == _files(opened)


@pytest.mark.milvus
def test_milvus_goes_along_with_a_new_name(opened: Path) -> None:
    other = Workspace.open(changes.create(opened, "other"))
    ids, vectors = np.arange(50), np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
    with connect(other, "tests") as engine:
        engine.create("things", 8, "IP")
        engine.insert("things", ids, vectors, {})
        engine.build("things", "FLAT", {}, "IP")
    began = time.monotonic()
    renamed = Workspace.open(changes.rename(opened, "other", "renamed"))
    assert time.monotonic() - began < 20
    with connect(renamed, "tests") as engine:
        engine.load("things")
        found = engine.search("things", vectors[:1], 1, {})
        assert found.ids[0, 0] == np.argmax(vectors @ vectors[0])


def test_the_command_line_does_it_all(opened: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "sent.tar")
    for words in (
        ["create", "one"],
        ["duplicate", "mine", "two"],
        ["rename", "two", "three"],
        ["export", "three", file],
        ["import", file, "four"],
        ["delete", "four"],
        ["restore", "four"],
        ["delete", "one"],
        ["purge", "one"],
    ):
        assert cli_here(opened, "workspace", *words)[0] == 0, words
    answer = cli_here(opened, "workspace", "list")[1]
    assert [row["name"] for row in answer["workspaces"]] == ["mine", "four", "three"]
    assert answer["deleted"] == []
    code, answer = cli_here(opened, "workspace", "import", str(tmp_path / "none.tar"), "five")
    assert (code, "There is no file" in answer["error"]) == (2, True)
