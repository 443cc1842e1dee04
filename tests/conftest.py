"""Fixtures that every folder shares; real data outside the project is found here and nowhere else."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.project import PROJECT
from pipeline.search.embedded.server import connect
from pipeline.search.embedded.supervisor import GRACE_VARIABLE
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.locks import lock
from pipeline.store.workspace import Workspace
from tests.measure import Measured, measure

REALDATA_DIR = Path(os.environ.get("REALDATA_DIR", PROJECT.parent / "shared" / "data"))
os.environ[GRACE_VARIABLE] = "2"  # servers of tests need not wait half a minute for a next user
for _variable in ("MILVUS_URI", "MILVUS_TOKEN", "CLICK_ROAD_WORKSPACE"):
    os.environ.pop(_variable, None)
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)  # what fails here fails for everyone
hypothesis.settings.register_profile("fresh", deadline=None)  # `make test-long` draws anew
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
os.environ["CLICK_ROAD_DATA"] = str(REALDATA_DIR)  # tests fetch nothing, and write nothing into the user's cache


SHOP = ("--clicks", "shop:3000", "--epochs", "3")  # half the usual epochs: the tests ask whether it works, not how well


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


@pytest.fixture(scope="session")
def yoochoose() -> Path:
    """Give the first 83,846 real YOOCHOOSE clicks, or skip with the reason."""
    return real_file("yoochoose-clicks-100k.dat.gz")


@pytest.fixture(scope="session")
def eshop_file() -> Path:
    """Give the real e-shop file, or skip with the reason."""
    return real_file("eshop-clothing-2008.zip")


def real_file(name: str) -> Path:
    """Give a file of real data, or skip with the reason."""
    path = REALDATA_DIR / name
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


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Put the main module back, which Streamlit's AppTest replaces: processes that are spawned later begin with it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@dataclass(frozen=True)
class Road:
    """A workspace on which `run` has ended, what it answered, and what it took."""

    workspace: Workspace
    answer: dict[str, Any]
    measured: Measured


def run_pipeline(root: Path, *arguments: str) -> Road:
    """Run the whole pipeline on real parts, as a user does."""
    measured = measure(["run", *arguments], root)
    assert measured.returncode == 0, measured.stderr[-3000:]
    return Road(Workspace.open(root), json.loads(measured.stdout.splitlines()[-1]), measured)


@pytest.fixture(scope="session")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Give the road over a made-up shop; tests may add to it, and leave what it has as it is."""
    made = shared_folder(tmp_path_factory) / "shop"
    held = lock(made.with_suffix(".lock"))  # tests run in several processes: the first makes the road, each has a copy
    try:
        kept = made.with_suffix(".json")
        if not kept.exists():
            took = run_pipeline(made, *SHOP).measured
            wait_for(lambda: not ours(str(made)), 60, "Milvus to stop")
            kept.write_text(json.dumps(asdict(took)))
        measured = Measured(**json.loads(kept.read_text()))
    finally:
        os.close(held)
    copy = tmp_path_factory.mktemp("road") / "ws"
    shutil.copytree(made, copy, symlinks=True)
    return Road(Workspace.open(copy), json.loads(measured.stdout.splitlines()[-1]), measured)


def copy_of(road: Road, folder: Path) -> Workspace:
    """Copy a road whose server has ended, for who changes what it has or kills its server; its jobs are not of it."""
    wait_for(lambda: not ours(str(road.workspace.root)), 60, "Milvus to stop")
    jobs = shutil.ignore_patterns("jobs")  # else a test would take one that ended long ago for its own
    shutil.copytree(road.workspace.root, folder / "ws", symlinks=True, ignore=jobs)
    return Workspace.open(folder / "ws")


@dataclass(frozen=True)
class _Server:
    """One real server for all tests of this process that only ask; those that kill one start their own."""

    workspace: Workspace
    engine: MilvusEngine


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    workspace = Workspace.open(tmp_path_factory.mktemp("served") / "ws")
    with connect(workspace, "tests") as engine:
        yield _Server(workspace, engine)


@pytest.fixture(scope="session")
def served(_server: _Server) -> Workspace:
    return _server.workspace


@pytest.fixture(scope="session")
def engine(_server: _Server) -> MilvusEngine:
    return _server.engine


@pytest.fixture(scope="session")
def points() -> np.ndarray:
    """Make synthetic item vectors in groups, as a model's are: (6000, 32) float32."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(150, 32))
    return (centres[random.integers(0, 150, 6000)] + 0.35 * random.normal(size=(6000, 32))).astype(np.float32)


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that all processes of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def cli(root: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Run a command with --json; give its exit code and the object on its last line."""
    command = [sys.executable, "-m", "pipeline", *arguments, "--workspace", str(root), "--json"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=os.environ | environment
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])


def cli_here(root: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Answer as `cli`, in this process: what is read and refused needs none of its own, which takes a second."""
    ended = CliRunner(env=environment).invoke(app, [*arguments, "--workspace", str(root), "--json"])
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return ended.exit_code, json.loads(ended.stdout.splitlines()[-1])
