"""Triton as its users see it: hold a lease, get an address; nothing else starts or stops it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.project import PROJECT
from pipeline.core.text import duration
from pipeline.search.embedded.leases import holders, take
from pipeline.search.embedded.life import is_ready
from pipeline.serving.ensemble.export import REPOSITORY, STAGE
from pipeline.store.locks import is_locked, locked
from pipeline.store.stage import need
from pipeline.store.workspace import Workspace, read_json, write_json
from pipeline.training.archive import link_files

URL_VARIABLE = "TRITON_URL"  # the gRPC address of another Triton, such as NVIDIA's container with a GPU
_USUAL_START_S = 12.0
_MODEL_FILES = ("/model.py", "/model.savedmodel")
_KEPT = 2  # repositories: the one that is served, and the one before it


def home(workspace: Workspace) -> Path:
    """Give the folder of the workspace's Triton."""
    folder = workspace.root / "triton"
    for part in ("logs", "leases", "served"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return folder


def external() -> str | None:
    """Give the address of a Triton that is not ours, where TRITON_URL names one."""
    return os.environ.get(URL_VARIABLE) or None


def want(workspace: Workspace) -> dict[str, Any]:
    """Have what is exported now served: a Triton that runs swaps to it; give what is wanted."""
    manifest = need(workspace, STAGE, "run `serve export`.")
    folder = home(workspace)
    key = str(manifest["key"])[:12]
    with locked(folder / "wanted.lock"):
        if not (folder / "served" / key).exists():
            beside = folder / "served" / f".{key}"
            shutil.rmtree(beside, ignore_errors=True)
            link_files(workspace.stage(STAGE).resolve() / REPOSITORY, beside)
            _one_process_each(beside)
            beside.rename(folder / "served" / key)
        wanted = {"key": key, **{name: manifest["metrics"][name] for name in ("features", "server", "training")}}
        if read_json(folder / "wanted.json") != wanted:
            write_json(folder / "wanted.json", wanted)
        _forget_old(folder, key)
    return wanted


def _one_process_each(repository: Path) -> None:
    """Have one process a model: without a count Triton starts two of a TensorFlow model on a CPU, .6 GB each."""
    for path in repository.glob("*/config.pbtxt"):
        text = path.read_text().replace("instance_group {", "instance_group {\n  count: 1", 1)
        path.unlink()  # a hard link: what was exported stays as it is
        path.write_text(text)


def _forget_old(folder: Path, newest: str) -> None:
    old = [path for path in (folder / "served").iterdir() if path.name != newest]
    for path in sorted(old, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def connect(workspace: Workspace, what: str, progress: Progress = silent) -> Iterator[str]:
    """Hold Triton for the block; give its gRPC address: ours, or the one that TRITON_URL names."""
    if url := external():
        yield url
        return
    want(workspace)
    held = take(home(workspace), what)
    try:
        yield ensure(workspace, progress)
    finally:
        held.release()


def up(workspace: Workspace, progress: Progress = silent) -> dict[str, Any]:
    """Serve what is exported now, and go on until `down`; give the status."""
    if url := external():
        raise UserError(f"{URL_VARIABLE} names {url}, which is not ours to start: unset it, or start that one there.")
    wanted = want(workspace)
    held = take(home(workspace), "serve up")
    try:
        (home(workspace) / "pinned").touch()
        ensure(workspace, progress)
        _wait_for_swap(workspace, wanted["key"], progress)
    finally:
        held.release()
    return status(workspace)


def _wait_for_swap(workspace: Workspace, key: str, progress: Progress, limit_s: float = 120.0) -> None:
    started = time.monotonic()
    while True:
        about = read_json(home(workspace) / "server.json") or {}
        if about.get("key") == key and is_ready(home(workspace)):
            return
        if error := about.get("error"):
            raise UserError(str(error))
        waited = time.monotonic() - started
        if waited > limit_s:
            raise UserError(f"Triton did not take the new ensemble within {duration(limit_s)}: see `serve status`.")
        progress(min(waited, _USUAL_START_S - 0.5), _USUAL_START_S, "loading the new ensemble beside the old one")
        time.sleep(0.1)


def ensure(workspace: Workspace, progress: Progress = silent, limit_s: float = 120.0) -> str:
    """Start Triton if it does not run, and wait until it answers; give its gRPC address. The caller holds a lease."""
    folder, started = home(workspace), time.monotonic()
    supervisor: subprocess.Popen[bytes] | None = None
    while True:
        about = read_json(folder / "server.json") or {}
        if is_ready(folder):
            return str(about["grpc"])
        if supervisor is not None and supervisor.poll() not in (None, 0):
            log = folder / "logs" / "supervisor.log"
            raise UserError(str(about.get("error") or f"Triton's supervisor ended before it began: see {log}."))
        if supervisor is None and not is_locked(folder / "supervisor.lock"):
            supervisor = _spawn(folder)
        waited = time.monotonic() - started
        if waited > limit_s:
            raise UserError(f"Triton was not ready within {duration(limit_s)}: see {folder / 'logs'}.")
        progress(min(waited, _USUAL_START_S - 0.5), _USUAL_START_S, "starting Triton")
        if supervisor is not None and supervisor.poll() is not None:
            supervisor = None  # another one was first, or stopped as we came: look again
        time.sleep(0.1)


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "logs" / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.serving.triton.supervisor", str(folder)],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def address(workspace: Workspace) -> str:
    """Give the gRPC address of a Triton that runs; raise UserError where none does."""
    if url := external():
        return url
    if not is_ready(home(workspace)):
        raise UserError("Triton is not running: start it with `serve up`, or wait until it is ready.")
    return str((read_json(home(workspace) / "server.json") or {})["grpc"])


def status(workspace: Workspace) -> dict[str, Any]:
    """Tell state, addresses, what is served, memory of each process and who holds it, without starting anything."""
    if url := external():
        return {"state": "external", "grpc": url, "held_by": [], "pinned": False, "processes": []}
    folder = home(workspace)
    about = read_json(folder / "server.json") or {}
    if not is_locked(folder / "supervisor.lock"):
        state = "failed" if about.get("state") == "failed" else "stopped"
        return {"state": state, "held_by": [], "pinned": False, "processes": [], "log": str(folder / "logs")} | (
            {"error": about["error"]} if "error" in about else {}
        )
    named = ("state", "http", "grpc", "metrics", "pid", "supervisor_pid", "key", "ready_s", "restarts", "last_restart")
    found = {name: about[name] for name in (*named, "error") if name in about}
    if found.get("state") == "ready" and not is_ready(folder):
        found["state"] = "starting again"
    found |= {"held_by": holders(folder), "pinned": (folder / "pinned").exists(), "log": str(folder / "logs")}
    return found | {"processes": _processes(about.get("pid"))}


def _processes(pid: int | None) -> list[dict[str, Any]]:
    """List the server and the Python processes under it, with the memory that each has of its own."""
    found = []
    with suppress(psutil.Error, TypeError):
        server = psutil.Process(pid)
        for process in [server, *server.children(recursive=True)]:
            words, memory = process.cmdline(), process.memory_full_info()
            model = next((Path(word).parent.parent.name for word in words if word.endswith(_MODEL_FILES)), "")
            loaded = any("site-packages/tensorflow" in mapped.path for mapped in process.memory_maps())
            name = model or process.name()
            found.append({"pid": process.pid, "name": name, "mb": round(memory.pss / 1e6), "tensorflow": loaded})
    return found


def down(workspace: Workspace) -> str:
    """End what `up` began; Triton goes on while others hold it. Say in a sentence what happens."""
    folder = home(workspace)
    (folder / "pinned").unlink(missing_ok=True)
    if not is_locked(folder / "supervisor.lock"):
        return "Triton is not running."
    if held := holders(folder):
        who = ", ".join(f"{h.get('what')} (pid {h.get('pid')})" for h in held)
        return f"Triton goes on for {who}, and stops 30 s after the last of them ends."
    if pid := (read_json(folder / "server.json") or {}).get("supervisor_pid"):
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
    deadline = time.monotonic() + 20
    while is_locked(folder / "supervisor.lock") and time.monotonic() < deadline:
        time.sleep(0.1)
    return "Triton is stopped."
