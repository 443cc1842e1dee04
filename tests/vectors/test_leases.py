"""A lease ends with its holder, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.vectors.leases import holders, take
from tests.conftest import wait_for

HOLD = "import sys, time; from pathlib import Path; from pipeline.vectors.leases import take;" \
    "take(Path(sys.argv[1]), 'child'); print('held', flush=True); time.sleep(60)"  # fmt: skip


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
