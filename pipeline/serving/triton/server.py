"""Triton as its users see it: hold a lease, get an address; nothing else starts or stops it."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import duration
from pipeline.search.embedded.leases import holders, take
from pipeline.search.embedded.life import Supervised, is_held, is_ready
from pipeline.serving.ensemble.export import REPOSITORY, STAGE, operators_digest
from pipeline.store.locks import is_locked, locked
from pipeline.store.stage import need
from pipeline.store.workspace import Workspace, keep_newest, read_json, write_json
from pipeline.training.archive import link_files

URL_VARIABLE = "TRITON_URL"  # the gRPC address of another Triton, such as NVIDIA's container with a GPU
_TRITON = Supervised("Triton", "Triton", "pipeline.serving.triton.supervisor", 12.0)
_PATIENCE_S = 300.0  # more than the supervisor has for a start, which says why that failed
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
    if manifest["metrics"].get("operators") != operators_digest():
        raise UserError("The ensemble was exported by another version of this program: run `serve export` again.")
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
        keep_newest(folder / "served", key, _KEPT)
    return wanted


def _one_process_each(repository: Path) -> None:
    """Have one process a model: without a count Triton starts two of a TensorFlow model on a CPU, .6 GB each."""
    for path in repository.glob("*/config.pbtxt"):
        text = path.read_text().replace("instance_group {", "instance_group {\n  count: 1", 1)
        path.unlink()  # a hard link: what was exported stays as it is
        path.write_text(text)


def up(workspace: Workspace, progress: Progress = silent) -> dict[str, Any]:
    """Serve what is exported now, and go on until `down`; give the status."""
    if url := external():
        raise UserError(f"{URL_VARIABLE} names {url}, which is not ours to start: unset it, or start that one there.")
    wanted = want(workspace)
    held = take(home(workspace), "serve up")
    try:
        (home(workspace) / "pinned").touch()
        _TRITON.ensure(home(workspace), progress, _PATIENCE_S)
        _wait_for_swap(workspace, wanted["key"], progress)
    finally:
        held.release()
    return status(workspace)


def _wait_for_swap(workspace: Workspace, key: str, progress: Progress, limit_s: float = _PATIENCE_S) -> None:
    started = time.monotonic()
    while True:
        about, wanted = (read_json(home(workspace) / name) or {} for name in ("server.json", "wanted.json"))
        if about.get("key") == key and is_ready(home(workspace)):
            return
        if wanted.get("key") != key:  # the supervisor went back to what it served
            raise UserError(str(about.get("error") or "Another ensemble was exported meanwhile: run `serve up` again."))
        waited = time.monotonic() - started
        if waited > limit_s:
            raise UserError(f"Triton did not take the new ensemble within {duration(limit_s)}: see `serve status`.")
        progress(
            min(waited, _TRITON.usual_start_s - 0.5),
            _TRITON.usual_start_s,
            "loading the new ensemble beside the old one",
        )
        time.sleep(0.1)


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
    if "state" not in found:  # its supervisor has just begun, or is about to end
        found["state"] = "starting" if is_held(folder) else "stopping"
    if found["state"] == "ready" and not is_ready(folder):
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
    return _TRITON.unpin(home(workspace))
