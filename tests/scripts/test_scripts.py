"""The scripts behind `make`, on machines that lack something: a sentence with the way out, exit code 2."""

import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from pipeline.core.project import PROJECT
from tests.conftest import wait_for

_TOOLS = ("sh", "cksum", "cat", "date", "dirname", "rm", "grep", "uname", "id")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Make a project without an environment, on a machine with nothing but the plainest tools."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "scripts", project / "scripts")
    shutil.copy(PROJECT / "requirements.txt", project)
    tools = project / "tools"
    tools.mkdir()
    for tool in _TOOLS:
        (tools / tool).symlink_to(str(shutil.which(tool)))
    return project


def _pretend(machine: Path, tool: str, says: str) -> None:
    path = machine / "tools" / tool
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)


def _run(machine: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": str(machine / "tools"), "HOME": str(machine)}
    command = [str(machine / "tools" / "sh"), f"scripts/{script}"]
    return subprocess.run(
        command, cwd=machine, env=kept | environment, capture_output=True, text=True, timeout=120, check=False
    )


def _refused(ended: subprocess.CompletedProcess[str], *words: str) -> None:
    assert ended.returncode == 2, ended.stderr
    assert all(word in ended.stderr for word in words), ended.stderr


def test_without_python_and_uv(machine: Path) -> None:
    _refused(_run(machine, "setup.sh"), "neither uv nor Python 3.11", "apt install")
    assert not (machine / ".venv").exists()


def test_on_another_processor(machine: Path) -> None:
    _pretend(machine, "uname", "aarch64")
    _refused(_run(machine, "setup.sh"), "aarch64", "Linux x86_64")


def test_without_a_network(machine: Path) -> None:
    uv = shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
    if not Path(uv).exists():
        pytest.skip("there is no uv in PATH and none in .uv: `make setup` brings one")
    (machine / "tools" / "uv").symlink_to(uv)
    (machine / "tools" / "python3.11").symlink_to((PROJECT / ".venv" / "bin" / "python").resolve())
    ended = _run(machine, "setup.sh", UV_OFFLINE="1", UV_CACHE_DIR=str(machine / "cache"))
    _refused(ended, "could not be installed", "check the network")
    assert not (machine / ".venv" / ".lock-installed").exists()


def test_without_a_browser_that_may_be_installed(machine: Path) -> None:
    _pretend(machine, "id", "1000")
    _refused(_run(machine, "browser.sh"), "no Chromium", "apt install chromium")


def test_a_port_that_is_none() -> None:
    ended = subprocess.run(
        ["scripts/app.sh"], cwd=PROJECT, env=os.environ | {"PORT": "web"}, capture_output=True, text=True, check=False
    )
    _refused(ended, "PORT=web", "whole number")


def test_a_taken_port_is_said_and_the_next_one_serves(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = min(taken.getsockname()[1], 65_000)
        app = subprocess.Popen(
            ["scripts/app.sh"],
            cwd=PROJECT,
            env=os.environ | {"PORT": str(port), "CLICK_ROAD_WORKSPACE": str(tmp_path / "ws")},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert app.stdout is not None
            said = app.stdout.readline()
            assert f"port {port} is taken, so it is " in said
            health = f"http://127.0.0.1:{said.split()[-1]}/_stcore/health"
            wait_for(lambda: _answers(health), 60, "the app on the next port")
        finally:
            app.send_signal(signal.SIGTERM)
            app.wait(20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
