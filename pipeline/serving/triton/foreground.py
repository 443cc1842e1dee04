"""A tritonserver in the foreground, for a container: it waits for an export, and serves the newest one."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pipeline.core.errors import UserError
from pipeline.search.embedded.life import die_with_parent
from pipeline.serving.ensemble.export import STAGE
from pipeline.serving.ensemble.local import addresses
from pipeline.serving.triton.binary import PORTS, command, environment, put_together
from pipeline.serving.triton.server import home, want
from pipeline.serving.triton.supervisor import end
from pipeline.store.stage import need
from pipeline.store.workspace import Workspace

FIRST_PORT = 8000  # HTTP, gRPC and metrics follow each other, as in NVIDIA's container
_LOOKS_EVERY_S = 1.0


def run_here(
    workspace: Workspace, host: str, first_port: int, patient: bool = False, say: Callable[[str], None] = print
) -> int:
    """Serve what is exported until this process is ended, and what is exported anew from then on; give the exit code.

    Between the end of the old server and the new one's start, some ten seconds, nobody answers: `serve up` swaps
    without that, and needs no container.
    """
    if not 1 <= first_port <= 65_533:
        raise UserError(
            f"port {first_port} is out of range: choose 1 to 65,533, as the two ports after it are used too."
        )
    ports = {name: first_port + n for n, name in enumerate(PORTS)}
    if not patient:
        need(workspace, STAGE, "run `serve export`, or wait for it with --patient.")
    backends, stopping = put_together(home(workspace)), []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.append(number))
    process: subprocess.Popen[bytes] | None = None
    served: str | None = None
    try:
        while not stopping:
            key = _exported(workspace)
            if key is None and process is None and served is None:
                say("Nothing is exported yet: run `serve export` in the app's container.")
                served = ""
            if key and key != served:
                if process is not None:
                    end(process)
                say(f"Serving {key[:12]} on {host}:{ports['http']} (HTTP) and {host}:{ports['grpc']} (gRPC).")
                process, served = _start(workspace, want(workspace), backends, ports, host), key
            if process is not None and process.poll() is not None:
                return process.returncode or 1
            time.sleep(_LOOKS_EVERY_S)
        return 0
    finally:
        if process is not None:
            end(process)


def _exported(workspace: Workspace) -> str | None:
    manifest = workspace.manifest(STAGE)
    return None if manifest is None else str(manifest["key"])


def _start(workspace: Workspace, wanted: dict[str, Any], backends: Any, ports: dict[str, int], host: str) -> Any:
    repository = home(workspace) / "served" / wanted["key"]
    with suppress(ValueError):
        sys.stdout.flush()
    return subprocess.Popen(
        command(repository, backends, ports, host),
        cwd=home(workspace),
        env=environment(addresses(workspace, wanted["server"], wanted["features"])),
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509  one call; a killed container leaves no orphan
    )
