"""Image and compose files without a Docker daemon: the image's steps are run, the files read and rendered."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.project import PROJECT
from tests.conftest import wait_for

STEPS = {"environment", "project", "serve", "healthy", "check"}
SECRETS = {"MILVUS_PASSWORD": "a-password", "MINIO_PASSWORD": "another-one"}
REDIS = {"REDIS_PASSWORD": "a-third-one"}
PINNED = re.compile(r"[\w./-]+:[\w.-]*\d[\w.-]*")
FILES = {"app": "compose.yaml"} | dict.fromkeys(("cpu", "gpu", "serving-cpu", "serving-gpu"), "compose.milvus.yaml")


def _instructions() -> list[tuple[str, str]]:
    """List the Dockerfile's instructions and what they say, stage by stage."""
    lines = (line for line in (PROJECT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#"))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def _said(word: str) -> list[str]:
    return [rest for said, rest in _instructions() if said == word]


def test_the_dockerfile_runs_the_steps_of_the_script_and_installs_nothing_beside_them() -> None:
    run = [rest for word, rest in _instructions() if word in ("RUN", "CMD", "HEALTHCHECK")]
    steps = {step for rest in run for step in re.findall(r'scripts/image\.sh(?:", "| )(\w+)', rest)}
    assert steps == STEPS
    assert all(f"\n{step}() {{" in (PROJECT / "scripts" / "image.sh").read_text() for step in STEPS)
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
    rules = (PROJECT / ".dockerignore").read_text().splitlines()
    assert "*" in rules
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = re.search(r"cp -R (.+) \"\$1\"", (PROJECT / "scripts" / "image.sh").read_text())
    assert copied is not None
    assert let_through == {*copied[1].split(), "scripts", "requirements.txt"}
    assert all((PROJECT / name).exists() for name in let_through)


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
    assert _image(PROJECT, "project", str(folder)).returncode == 0
    (folder / ".venv").symlink_to(PROJECT / ".venv")
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
    ended = _image(PROJECT, "instal")
    assert (ended.returncode, "'instal' is no step" in ended.stderr) == (2, True)


@pytest.mark.long
def test_the_image_from_an_empty_folder(tmp_path: Path) -> None:
    """As the Dockerfile does: the whole lock into a folder of its own, the project beside it, the check."""
    uv = shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
    path = f"{Path(uv).parent}:{os.environ['PATH']}"
    for step in ("environment", "project"):
        ended = _image(PROJECT, step, str(tmp_path), PATH=path)
        assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / ".uv").exists()
    assert (tmp_path / ".venv").is_dir()
    assert list((tmp_path / ".venv").rglob("tensorflow/__pycache__/__init__.*.pyc"))
    ended = _image(tmp_path, "check")
    assert ended.returncode == 0, ended.stderr


def _written(file: str) -> dict[str, Any]:
    return dict(yaml.safe_load((PROJECT / file).read_text())["services"])


@pytest.mark.parametrize("file", ["compose.yaml", "compose.milvus.yaml"])
def test_every_image_has_a_version(file: str) -> None:
    images = [service["image"] for service in _written(file).values() if "image" in service]
    assert images
    assert all(PINNED.fullmatch(image) for image in images), images


def test_one_port_is_published_and_to_this_machine_only() -> None:
    services = [service for file in ("compose.yaml", "compose.milvus.yaml") for service in _written(file).values()]
    assert [port for service in services for port in service.get("ports", [])] == ["127.0.0.1:8501:8501"]


def test_the_apps_image_has_the_projects_version() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert _written("compose.yaml")["app"]["image"] == f"click-road:{version}"


def test_no_secret_is_written_down() -> None:
    services = _written("compose.milvus.yaml").values()
    settings = {name: value for service in services for name, value in service.get("environment", {}).items()}
    secret = {name: value for name, value in settings.items() if re.search("PASSWORD|SECRET|TOKEN", name)}
    assert len(secret) == 5
    assert all(re.fullmatch(r"(root:)?\$\{\w+_PASSWORD(:[?-][^}]*)?\}", value) for value in secret.values()), secret
    assert all(re.search(r"password=\$\{REDIS_PASSWORD:-\}$", s["FEAST_REDIS"]) for s in [settings])
    assert "milvus.env" in (PROJECT / ".gitignore").read_text().split()


def _compose() -> list[str]:
    """Give the compose command, or skip with the reason."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("there is neither `docker compose` nor docker-compose here")


def _render(profile: str, **secrets: str) -> subprocess.CompletedProcess[str]:
    command = [*_compose(), "-f", FILES[profile], "--profile", profile, "config"]
    kept = {name: value for name, value in os.environ.items() if name not in SECRETS | REDIS}
    return subprocess.run(command, cwd=PROJECT, env=kept | secrets, capture_output=True, text=True, check=False)


def _services(profile: str) -> dict[str, Any]:
    """Give the services of a profile as compose renders them, whether or not it leaves the other profiles out."""
    ended = _render(profile, **({} if profile == "app" else SECRETS | REDIS))
    assert ended.returncode == 0, ended.stderr
    services = yaml.safe_load(ended.stdout)["services"]
    return {name: s for name, s in services.items() if profile in s.get("profiles", [profile])}


def _published(service: dict[str, Any]) -> list[str]:
    """Give a service's published ports in the short form; newer compose renders the long one."""
    long = [p for p in service.get("ports", []) if isinstance(p, dict)]
    short = [str(p).removesuffix("/tcp") for p in service.get("ports", []) if not isinstance(p, dict)]
    return short + [f"{p.get('host_ip')}:{p.get('published')}:{p['target']}" for p in long]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("app", {"app"}),
        ("cpu", {"app-cpu", "milvus-cpu", "etcd", "minio"}),
        ("gpu", {"app-gpu", "milvus-gpu", "etcd", "minio"}),
        ("serving-cpu", {"app-serving-cpu", "triton-cpu", "redis", "milvus-cpu", "etcd", "minio"}),
        ("serving-gpu", {"app-serving-gpu", "triton-gpu", "redis", "milvus-gpu", "etcd", "minio"}),
    ],
)
def test_a_profile_publishes_the_app_on_this_machine_and_nothing_else(profile: str, names: set[str]) -> None:
    services = _services(profile)
    assert set(services) == names
    assert [p for s in services.values() for p in _published(s)] == ["127.0.0.1:8501:8501"]
    assert not any("network_mode" in s or s.get("privileged") for s in services.values())


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_the_app_reaches_a_milvus_that_asks_for_a_password(profile: str) -> None:
    services = _services(profile)
    app, milvus = services[f"app-{profile}"], services[f"milvus-{profile}"]
    assert app["environment"]["MILVUS_URI"] == "http://milvus:19530"
    assert app["environment"]["MILVUS_TOKEN"] == f"root:{SECRETS['MILVUS_PASSWORD']}"
    assert app["depends_on"][f"milvus-{profile}"]["condition"] == "service_healthy"
    assert milvus["environment"]["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"
    assert milvus["environment"]["COMMON_SECURITY_DEFAULTROOTPASSWORD"] == SECRETS["MILVUS_PASSWORD"]
    assert milvus["networks"]["default"]["aliases"] == ["milvus"]
    assert milvus["environment"]["MINIO_SECRET_ACCESS_KEY"] == services["minio"]["environment"]["MINIO_ROOT_PASSWORD"]
    for store in ("etcd", "minio"):
        assert set(services[store]["networks"]) == {"store"}, "only Milvus reaches them"
        assert "healthcheck" in services[store]
        assert milvus["depends_on"][store]["condition"] == "service_healthy"


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_app_and_triton_reach_a_redis_that_asks_for_a_password(device: str) -> None:
    services = _services(f"serving-{device}")
    app, triton, redis = (services[name] for name in (f"app-serving-{device}", f"triton-{device}", "redis"))
    assert app["environment"]["FEAST_REDIS"] == f"redis:6379,password={REDIS['REDIS_PASSWORD']}"
    shared = ("FEAST_REDIS", "MILVUS_URI", "MILVUS_TOKEN", "CLICK_ROAD_ONLINE_STORE")
    assert all(app["environment"][name] == triton["environment"][name] for name in shared)
    assert (PROJECT / Path(app["environment"]["CLICK_ROAD_ONLINE_STORE"]).relative_to("/app")).exists()
    assert app["environment"]["TRITON_URL"] == "triton:8001"
    assert not triton["environment"]["TRITON_URL"]
    assert triton["networks"]["default"]["aliases"] == ["triton"]
    assert triton["image"] == app["image"]
    assert redis["environment"]["REDIS_PASSWORD"] == REDIS["REDIS_PASSWORD"]
    assert "--requirepass" in " ".join(redis["command"])
    assert all("healthcheck" in service for service in (triton, redis))


def test_a_redis_without_a_password_does_not_start() -> None:
    command = [part.replace("$$", "$") for part in _written("compose.milvus.yaml")["redis"]["command"]]
    ended = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert (ended.returncode, "write REDIS_PASSWORD into milvus.env" in ended.stderr) == (2, True)


def test_the_gpu_profile_asks_for_a_gpu() -> None:
    assert "deploy" not in _services("cpu")["milvus-cpu"]
    milvus = _services("gpu")["milvus-gpu"]
    assert milvus["image"].endswith("-gpu")
    device = milvus["deploy"]["resources"]["reservations"]["devices"][0]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


@pytest.mark.parametrize("missing", SECRETS)
def test_without_a_password_compose_says_what_to_do(missing: str) -> None:
    ended = _render("cpu", **{name: value for name, value in SECRETS.items() if name != missing})
    assert ended.returncode != 0
    assert "write it into milvus.env and add --env-file milvus.env" in ended.stderr
