"""The embedded server as its users see it: take a lease, get an endpoint; nothing else starts or stops it."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.search.compatibility import EMBEDDED, ServerFacts, check_age
from pipeline.search.embedded.abandoned import going_on
from pipeline.search.embedded.leases import Lease, holders, take
from pipeline.search.embedded.life import Supervised, is_held, is_ready
from pipeline.search.embedded.network import OPEN_PORTS
from pipeline.search.embedded.supervisor import PIN_VARIABLE, USER
from pipeline.search.engine import Endpoint
from pipeline.search.milvus.profiles import endpoint_of, profile
from pipeline.store.locks import is_locked
from pipeline.store.workspace import Workspace, read_json

if TYPE_CHECKING:
    from pipeline.search.milvus.client import MilvusEngine

URI_VARIABLE, TOKEN_VARIABLE = "MILVUS_URI", "MILVUS_TOKEN"
_MILVUS = Supervised("Milvus", "The embedded Milvus", "pipeline.search.embedded.enclosed", 9.0)
_STOP_S = 5.0


def home(workspace: Workspace) -> Path:
    """Give the folder of the workspace's server."""
    folder = workspace.root / "milvus"
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "leases").mkdir(exist_ok=True)
    return folder


def server_name() -> str:
    """Name the server that `connect` reaches: 'embedded', or the URI that MILVUS_URI gives."""
    return os.environ.get(URI_VARIABLE) or "embedded"


def lease(workspace: Workspace, what: str, progress: Progress = silent, limit_s: float = 120.0) -> Lease:
    """Claim the server for this process, start it if need be, and wait until it answers."""
    claimed = take(home(workspace), what)
    try:
        ensure(workspace, progress, limit_s)
    except BaseException:
        claimed.release()
        raise
    return claimed


def ensure(workspace: Workspace, progress: Progress = silent, limit_s: float = 120.0, pin: bool = False) -> None:
    """Start the server if it does not run, and wait until it answers; the caller holds a lease."""
    _MILVUS.ensure(home(workspace), progress, limit_s, {PIN_VARIABLE: "1"} if pin else None)


def endpoint(workspace: Workspace) -> Endpoint:
    """Give where the server listens now; ports move when it restarts."""
    if uri := os.environ.get(URI_VARIABLE):
        return Endpoint(uri, os.environ.get(TOKEN_VARIABLE, ""), embedded=False)
    folder = home(workspace)
    about = read_json(folder / "server.json") or {}
    if not is_ready(folder):
        raise UserError("The embedded Milvus is not running: start it with `milvus start`, or wait until it is ready.")
    return Endpoint(about["uri"], f"{USER}:{(folder / 'password').read_text().strip()}")


def endpoint_for(workspace: Workspace, name: str) -> Endpoint:
    """Give where the server called `name` listens: 'embedded', a named one, or the URI that MILVUS_URI gives."""
    if "://" not in name:
        return endpoint(workspace) if name == EMBEDDED.name else endpoint_of(workspace, name)
    if os.environ.get(URI_VARIABLE) != name:
        raise UserError(
            f"This index is on {name}: set {URI_VARIABLE} to that server and {TOKEN_VARIABLE} to its token."
        )
    return endpoint(workspace)


@contextlib.contextmanager
def connect(
    workspace: Workspace, what: str, progress: Progress = silent, name: str | None = None
) -> "Iterator[MilvusEngine]":
    """Hold a server for the block, the embedded one under a lease; without a name, the one that `server_name` says."""
    from pipeline.search.milvus.client import MilvusEngine

    chosen = name or server_name()
    held = lease(workspace, what, progress) if chosen == EMBEDDED.name else None
    try:
        found = endpoint_for(workspace, chosen)
        engine = MilvusEngine(found, "" if found.embedded else workspace.prefix)
        try:
            yield engine
        finally:
            engine.close()
    finally:
        if held is not None:
            held.release()


def server_facts(workspace: Workspace, name: str, engine: "MilvusEngine | None" = None) -> ServerFacts:
    """Give what decides which index types the server called `name` can build; one without a name is asked."""
    if name == EMBEDDED.name:
        return EMBEDDED
    if "://" not in name:
        return profile(workspace, name).facts
    version = engine.version() if engine else "0"
    check_age(version, name)
    return ServerFacts(name, version, "gpu" if "gpu" in version.lower() else "cpu")


def status(workspace: Workspace) -> dict[str, Any]:
    """Tell state, uri, user, password_file, version and who holds it, without starting anything."""
    if uri := os.environ.get(URI_VARIABLE):
        return {"state": "external", "uri": uri, "held_by": [], "pinned": False, "abandoned": []}
    folder = home(workspace)
    about = read_json(folder / "server.json") or {}
    if not is_locked(folder / "supervisor.lock"):
        state = "failed" if about.get("state") == "failed" else "stopped"
        found = {"state": state, "held_by": [], "pinned": False, "abandoned": []}
        return found | ({"error": about["error"]} if "error" in about else {})
    found = {k: about.get(k) for k in ("state", "uri", "user", "version", "pid", "supervisor_pid", "enclosed")}
    found |= {k: about[k] for k in ("restarts", "last_restart") if k in about}
    if found["state"] is None:  # its supervisor has just begun, or is about to end
        found["state"] = "starting" if is_held(folder) else "stopping"
    if found["state"] == "ready" and not is_ready(folder):
        found["state"] = "starting again"
    if found["enclosed"] is False:
        found["warning"] = OPEN_PORTS
    found |= {"password_file": str(folder / "password"), "held_by": holders(folder)}
    with contextlib.suppress(psutil.Error, TypeError):
        found["memory_mb"] = round(psutil.Process(about.get("pid")).memory_info().rss / 1e6)
    left = [asdict(entry) | {"text": str(entry)} for entry in going_on(workspace)]
    return found | {"pinned": (folder / "pinned").exists(), "abandoned": left}


def start_server(workspace: Workspace, progress: Progress = silent) -> dict[str, Any]:
    """Start the server and keep it until `stop_server`."""
    claimed = take(home(workspace), "milvus start")
    try:
        ensure(workspace, progress, 120.0, pin=True)
        (home(workspace) / "pinned").touch()
    finally:
        claimed.release()
    return status(workspace)


def restart(workspace: Workspace, progress: Progress = silent) -> dict[str, Any]:
    """End the server's process, builds that were cancelled with it, and wait until it answers again."""
    claimed = take(home(workspace), "milvus restart")
    try:
        if is_ready(home(workspace)):
            server = psutil.Process(int((read_json(home(workspace) / "server.json") or {})["pid"]))
            for end in (server.terminate, server.kill):  # in a build it does not heed the first
                with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                    end()
                    server.wait(_STOP_S)  # until it is gone, else it would be taken for the one started again
        ensure(workspace, progress)
        return status(workspace)
    finally:
        claimed.release()


def stop_server(workspace: Workspace) -> str:
    """End what `start_server` began; the server goes on while others hold it. Say in a sentence what happens."""
    return _MILVUS.unpin(home(workspace))
