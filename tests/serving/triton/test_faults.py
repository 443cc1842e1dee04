"""What is killed comes back, ten times over, and what holds the servers up can be killed, too."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from pipeline.core.project import PROJECT
from pipeline.search.embedded.leases import take
from pipeline.serving.ensemble.export import STAGE
from pipeline.serving.triton import server
from pipeline.serving.triton.supervisor import GRACE_VARIABLE
from pipeline.store.stage import need
from tests.conftest import cli, wait_for
from tests.made.served import make_ranker
from tests.serving.triton import faults
from tests.serving.triton.conftest import FourStages

pytestmark = [pytest.mark.milvus, pytest.mark.merlin, pytest.mark.long]
BACK_S = 30  # within which everything answers again


@pytest.mark.parametrize("number", range(10))
def test_what_is_killed_comes_back(four: FourStages, number: int) -> None:
    faults.kill_triton(four, BACK_S)
    faults.kill_milvus(four, BACK_S)
    faults.kill_milvus_and_its_supervisor(four, BACK_S)
    faults.lose_features(four, BACK_S)
    faults.swap_the_ranker(four, seed=10 + number)
    faults.kill_the_supervisor(four)  # the next one begins to count restarts anew: it gives up after three in 5 minutes


def test_down_ends_it_and_says_so(four: FourStages) -> None:
    pids = [process["pid"] for process in server.status(four.workspace)["processes"]]
    assert cli(four.workspace.root, "serve", "down")[1]["note"] == "Triton is stopped."
    wait_for(lambda: not any(faults.runs(pid) for pid in pids), 10, "its processes to end")
    assert cli(four.workspace.root, "serve", "status")[1]["state"] == "stopped"
    assert (
        "start it with `serve up`"
        in cli(four.workspace.root, "serve", "ask", "--items", "i3", "--via", "triton")[1]["error"]
    )


def test_it_goes_on_while_it_is_held_and_ends_some_time_after(
    four: FourStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GRACE_VARIABLE, "3")
    server.up(four.workspace)
    held = take(server.home(four.workspace), "a visitor")
    assert "goes on for a visitor" in server.down(four.workspace)
    time.sleep(5)
    assert server.status(four.workspace)["state"] == "ready"
    pids = [process["pid"] for process in server.status(four.workspace)["processes"]]
    began = time.monotonic()
    held.release()
    wait_for(lambda: server.status(four.workspace)["state"] == "stopped", 20, "Triton to end")
    assert time.monotonic() - began > 2
    assert not any(faults.runs(pid) for pid in pids)


def test_a_full_disk_is_told_and_what_was_exported_stays(four: FourStages) -> None:
    make_ranker(four.workspace, seed=99)
    before = need(four.workspace, STAGE, "")["key"]
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "sys.argv = ['pipeline', *sys.argv[1:]]; runpy.run_module('pipeline', run_name='__main__')"
    )
    words = [sys.executable, "-c", limited, "serve", "export", "--workspace", str(four.workspace.root), "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False, cwd=PROJECT)
    assert ended.returncode == 2, ended.stderr[-2000:]
    assert "Stage 'ensemble' could not be written (File too large" in ended.stdout
    assert need(four.workspace, STAGE, "")["key"] == before


def test_in_the_foreground_it_serves_what_is_exported_and_what_is_exported_anew(four: FourStages) -> None:
    cli(four.workspace.root, "serve", "export")
    port = free_port()
    words = [sys.executable, "-m", "pipeline", "serve", "run", "--port", str(port)]
    process = subprocess.Popen([*words, "--workspace", str(four.workspace.root)], cwd=PROJECT, stdout=subprocess.PIPE)
    try:
        wait_for(lambda: _ready(port), 90, "Triton to be ready")
        before = need(four.workspace, STAGE, "")["key"]
        make_ranker(four.workspace, seed=123)
        assert cli(four.workspace.root, "serve", "export")[0] == 0
        assert need(four.workspace, STAGE, "")["key"] != before
        wait_for(lambda: not _ready(port), 30, "the old one to end")
        wait_for(lambda: _ready(port), 90, "the new one to be ready")
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert not _ready(port)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """Give a port that is free, and the two after it most likely."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return min(int(probe.getsockname()[1]), 65_000)
