"""Fixtures that every folder shares; real data outside the project is found here and nowhere else."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.vectors.supervisor import GRACE_VARIABLE
from pipeline.workspace import Workspace

REALDATA_DIR = Path(os.environ.get("REALDATA_DIR", Path(__file__).resolve().parents[2] / "shared" / "data"))
os.environ[GRACE_VARIABLE] = "2"  # servers of tests need not wait half a minute for a next user
for _variable in ("MILVUS_URI", "MILVUS_TOKEN", "CLICK_ROAD_WORKSPACE"):
    os.environ.pop(_variable, None)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


@pytest.fixture(scope="session")
def yoochoose() -> Path:
    """Give the first 83,846 real YOOCHOOSE clicks, or skip with the reason."""
    path = REALDATA_DIR / "yoochoose-clicks-100k.dat.gz"
    if not path.exists():
        pytest.skip(f"no real data at {path}: set REALDATA_DIR to a folder that has it")
    return path


def ours(part: str) -> list[psutil.Process]:
    """List living processes, of ours or below us, whose command line holds `part`."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if part in line and process.info["status"] != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
            found.append(process)
    return found


def wait_for(condition, limit_s: float = 30.0, what: str = "") -> None:  # type: ignore[no-untyped-def]
    """Wait until `condition()` holds, or fail saying what was waited for."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {limit_s:.0f} s: {what or condition}")
        time.sleep(0.05)


@pytest.fixture(scope="session", autouse=True)
def _no_leftovers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End whatever still runs in the tests' folders, and say so: nothing of ours may outlive us."""
    base = str(tmp_path_factory.getbasetemp())
    yield
    deadline = time.monotonic() + 20
    while (left := ours(base)) and time.monotonic() < deadline:
        time.sleep(0.2)
    lines = [" ".join(p.cmdline())[:160] for p in left]
    for process in left:
        process.send_signal(signal.SIGKILL)
    assert not lines, f"left running: {lines}"
