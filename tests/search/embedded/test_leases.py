"""A lease ends with its holder, however that ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from pipeline.search.embedded.leases import holders, take
from pipeline.store.locks import is_locked, lock, remove_unlocked
from tests.conftest import wait_for

HOLD = "import sys, time; from pathlib import Path; from pipeline.search.embedded.leases import take;" \
    "take(Path(sys.argv[1]), 'child'); print('held', flush=True); time.sleep(60)"  # fmt: skip

LOOK = """
import sys; from pathlib import Path; from pipeline.search.embedded.leases import holders
while True:
    holders(Path(sys.argv[1]))
"""


def test_a_released_lease_is_gone(tmp_path: Path) -> None:
    lease = take(tmp_path, "here")
    assert [h["what"] for h in holders(tmp_path)] == ["here"]
    lease.release()
    assert holders(tmp_path) == []


def test_a_killed_holder_holds_no_longer(tmp_path: Path) -> None:
    mine = take(tmp_path, "here")
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "held"
    assert sorted(h["what"] for h in holders(tmp_path)) == ["child", "here"]
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    wait_for(lambda: [h["what"] for h in holders(tmp_path)] == ["here"], 5)
    mine.release()


def test_no_lease_is_lost_while_others_look_who_holds_one(tmp_path: Path) -> None:
    """Whoever lists the holders sweeps the files of dead ones, also while a lease is being taken."""
    looking = [subprocess.Popen([sys.executable, "-c", LOOK, str(tmp_path)]) for _ in range(2)]
    until, lost, count = time.monotonic() + 2.5, 0, 0
    while time.monotonic() < until:
        lease, count = take(tmp_path, "here"), count + 1
        lost += [h.get("what") for h in holders(tmp_path)] != ["here"]
        lost += not lease.path.with_suffix(".lock").exists()
        lease.release()
    for one in looking:
        one.kill()
        one.wait()
    assert not lost, f"{lost} of {count} leases"
    assert not list((tmp_path / "leases").iterdir())


def test_the_lock_is_on_the_file_that_others_see(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    held = lock(path)
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(lock(path)))
    waiting.start()
    time.sleep(0.1)
    path.unlink()  # as who sweeps does, who holds it
    os.close(held)
    waiting.join(5)
    assert is_locked(path)
    assert not remove_unlocked(path)
    os.close(found[0])
    assert remove_unlocked(path)
    assert not path.exists()
