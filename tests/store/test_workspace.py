"""A stage's output appears whole or not at all, whatever kills its writer."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.store.workspace import MANIFEST, Workspace, read_json, write_json
from tests.conftest import wait_for

WRITER = """
import sys, time
from pathlib import Path
from pipeline.store.workspace import Workspace, write_json
ws = Workspace.open(sys.argv[1])
for n in range(100000):
    with ws.writing("clicks") as folder:
        for part in "abcd":
            (folder / part).write_text(str(n)); time.sleep(0.002)
        write_json(folder / "manifest.json", {"n": n, "key": str(n)})
"""


def _put(workspace: Workspace, value: str) -> None:
    with workspace.writing("clicks") as folder:
        (folder / "data").write_text(value)
        write_json(folder / MANIFEST, {"key": value})


def test_a_stage_is_replaced_whole_and_the_old_one_goes(workspace: Workspace) -> None:
    _put(workspace, "old")
    _put(workspace, "new")
    assert (workspace.stage("clicks") / "data").read_text() == "new"
    assert len(list((workspace.root / ".store").iterdir())) == 1


def test_a_failed_writer_leaves_what_was_there(workspace: Workspace) -> None:
    _put(workspace, "old")
    with pytest.raises(RuntimeError), workspace.writing("clicks") as folder:
        (folder / "data").write_text("half")
        raise RuntimeError
    assert (workspace.stage("clicks") / "data").read_text() == "old"
    assert len(list((workspace.root / ".store").iterdir())) == 1


def test_a_full_disk_is_a_sentence_and_nothing_is_lost(workspace: Workspace) -> None:
    _put(workspace, "old")
    with pytest.raises(UserError, match="No space left on device.*what was there before still is"):
        with workspace.writing("clicks") as folder:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "data"))
    assert workspace.manifest("clicks") == {"key": "old"}


def test_a_real_full_disk(tmp_path: Path) -> None:
    """A folder whose files may not grow over 64 kB stands for a disk that is full."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536));"
        f"sys.argv = ['p', 'ingest', '--clicks', 'shop', '--json', '--workspace', {str(tmp_path / 'ws')!r}];"
        "from pipeline.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "could not be written" in json.loads(ended.stdout.splitlines()[-1])["error"]
    assert not list((tmp_path / "ws" / ".store").iterdir())


def _kill_a_writer(root: Path, after_s: float) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root)])
    wait_for((root / "stages" / "clicks").exists, 20, "the first output")
    time.sleep(after_s)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    opened = Workspace.open(root)
    stage = opened.stage("clicks")
    number = str((opened.manifest("clicks") or {})["n"])
    assert {(stage / part).read_text() for part in "abcd"} == {number}
    opened.sweep()
    assert len(list((root / ".store").iterdir())) == 1


def test_a_killed_writer_leaves_a_whole_stage(tmp_path: Path) -> None:
    _kill_a_writer(tmp_path / "ws", 0.013)


@pytest.mark.long
@pytest.mark.parametrize("nth", range(30))
def test_thirty_killed_writers(tmp_path: Path, nth: int) -> None:
    _kill_a_writer(tmp_path / "ws", 0.001 + nth * 0.0011)


def test_readers_never_see_half_a_stage(workspace: Workspace) -> None:
    seen, stop = set(), threading.Event()
    _put(workspace, "0")

    def look() -> None:
        while not stop.is_set():
            manifest = workspace.manifest("clicks")
            seen.add(manifest is None)

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(100):
        _put(workspace, str(n))
    stop.set()
    reader.join()
    assert seen == {False}


def test_another_version_is_refused_and_untouched(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    Workspace.open(root)
    write_json(root / "workspace.json", {"format": 99, "id": "x"})
    with pytest.raises(UserError, match="has format 99, this version reads format 1"):
        Workspace.open(root)
    assert read_json(root / "workspace.json") == {"format": 99, "id": "x"}


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "ws").write_text("x")
    with pytest.raises(UserError, match="is a file, and a workspace is a folder"):
        Workspace.open(tmp_path / "ws")
