"""The image without a Docker daemon: what its steps do is run here."""

import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import wait_for

ROOT = Path(__file__).resolve().parents[2]
STEPS = {"environment", "project", "serve", "healthy", "check"}


def _instructions() -> list[tuple[str, str]]:
    """List the Dockerfile's instructions and what they say, stage by stage."""
    lines = (line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#"))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def _said(word: str) -> list[str]:
    return [rest for said, rest in _instructions() if said == word]


def test_the_dockerfile_runs_the_steps_of_the_script_and_installs_nothing_beside_them() -> None:
    run = [rest for word, rest in _instructions() if word in ("RUN", "CMD", "HEALTHCHECK")]
    steps = {step for rest in run for step in re.findall(r'scripts/image\.sh(?:", "| )(\w+)', rest)}
    assert steps == STEPS
    assert all(f"\n{step}() {{" in (ROOT / "scripts" / "image.sh").read_text() for step in STEPS)
    beside = [run for run in _said("RUN") if not run.startswith("scripts/image.sh ")]
    assert beside == ["useradd --create-home --uid 10001 road && mkdir /road && chown road /road"]


def test_the_image_is_not_roots_opens_one_port_and_tells_its_health() -> None:
    words = [word for word, _ in _instructions()]
    assert words[-1] == "CMD"
    assert _said("USER") == ["10001"]
    assert "RUN" in words[words.index("USER") :], "the check runs as who serves"
    assert _said("EXPOSE") == ["8501"]
    assert len(_said("HEALTHCHECK")) == 1
    assert {image.split()[1] for image in _said("FROM")} == {"python:3.11-slim-bookworm"}


def test_what_the_image_needs_is_let_through_and_nothing_else() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in rules
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = re.search(r"cp -R (.+) \"\$1\"", (ROOT / "scripts" / "image.sh").read_text())
    assert copied is not None
    assert let_through == {*copied[1].split(), "scripts", "requirements.txt"}
    assert all((ROOT / name).exists() for name in let_through)


def _image(folder: Path, *step: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / "scripts" / "image.sh"), *step],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Make the image's folder, with this environment in place of one of its own."""
    folder = tmp_path / "app"
    assert _image(ROOT, "project", str(folder)).returncode == 0
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def test_the_image_answers_and_draws_its_first_page(image: Path) -> None:
    ended = _image(image, "check")
    assert ended.returncode == 0, ended.stderr
    assert "answers and draws its first page" in ended.stdout


def test_an_image_whose_page_fails_is_not_built(image: Path) -> None:
    (image / "pages" / "overview.py").write_text("raise RuntimeError('broken')\n")
    ended = _image(image, "check")
    assert (ended.returncode, "first page was not drawn" in ended.stderr) == (2, True), ended.stderr


def test_a_container_tells_its_health_and_ends_when_asked(image: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    assert _image(image, "healthy", PORT=port).returncode != 0
    environment = os.environ | {"PORT": port, "ADDRESS": "127.0.0.1", "CLICK_ROAD_WORKSPACE": str(tmp_path / "ws")}
    app = subprocess.Popen([str(image / "scripts" / "image.sh"), "serve"], env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _image(image, "healthy", PORT=port).returncode == 0, 60, "health")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            assert b"<title>" in page.read()
    finally:
        app.send_signal(signal.SIGTERM)
        assert app.wait(20) is not None


def test_an_unknown_step_is_named() -> None:
    ended = _image(ROOT, "instal")
    assert (ended.returncode, "'instal' is no step" in ended.stderr) == (2, True)


@pytest.mark.long
def test_the_image_from_an_empty_folder(tmp_path: Path) -> None:
    """As the Dockerfile does: the whole lock into a folder of its own, the project beside it, the check."""
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    path = f"{Path(uv).parent}:{os.environ['PATH']}"
    for step in ("environment", "project"):
        ended = _image(ROOT, step, str(tmp_path), PATH=path)
        assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / ".uv").exists()
    assert (tmp_path / ".venv").is_dir()
    assert list((tmp_path / ".venv").rglob("tensorflow/__pycache__/__init__.*.pyc"))
    ended = _image(tmp_path, "check")
    assert ended.returncode == 0, ended.stderr
