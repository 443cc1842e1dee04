"""A lock is one holder's, goes with its holder, and is not in the way of who only asks."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.store.locks import is_locked, lock, locked, try_lock
from tests.conftest import wait_for

HOLDER = "import sys; from pathlib import Path; from pipeline.store.locks import lock; lock(Path(sys.argv[1])); input()"
ASKER = """
import sys
from pathlib import Path
from pipeline.store.locks import is_locked
while True:
    is_locked(Path(sys.argv[1]))
"""


def _process(code: str, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE)


def test_one_holds_it_and_a_kill_lets_it_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()  # asking makes nothing
    holder = _process(HOLDER, path)
    try:
        wait_for(lambda: is_locked(path))
        assert try_lock(path) is None
    finally:
        holder.kill()
        holder.wait()
    assert not is_locked(path)
    taken = try_lock(path)
    assert taken is not None
    assert is_locked(path)  # also for who holds it
    os.close(taken)
    assert not is_locked(path)


def test_who_inherits_the_descriptor_holds_it_too(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = lock(path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held])
    try:
        os.close(held)
        assert is_locked(path)
    finally:
        child.kill()
        child.wait()
    assert not is_locked(path)


def _takes_it_always(path: Path, seconds: float) -> None:
    path.touch()
    askers = [_process(ASKER, path) for _ in range(2)]
    deadline, tries = time.monotonic() + seconds, 0
    try:
        while time.monotonic() < deadline:
            taken = try_lock(path)
            assert taken is not None, f"try {tries} was refused, and nobody holds it"
            os.close(taken)
            tries += 1
    finally:
        for asker in askers:
            asker.kill()
            asker.wait()
    assert tries > 1000


def test_who_asks_is_not_in_the_way_of_who_takes_it(tmp_path: Path) -> None:
    _takes_it_always(tmp_path / "lock", 2.0)


@pytest.mark.long
def test_who_asks_is_not_in_the_way_for_a_minute(tmp_path: Path) -> None:
    _takes_it_always(tmp_path / "lock", 60.0)


def test_threads_hold_it_one_after_the_other(tmp_path: Path) -> None:
    path, inside = tmp_path / "lock", 0
    most = 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(50):
            with locked(path):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0002)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
