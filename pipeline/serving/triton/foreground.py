"""A tritonserver in the foreground, for a container: it waits for an export, and serves the newest one."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
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
        if workspace.manifest(STAGE) is None:
            say("Nothing is exported yet: run `serve export` in the app's container.")
        while not stopping:
            exported = workspace.manifest(STAGE)
            if exported is not None and exported["key"] != served:
                if process is not None:
                    end(process)
                served = str(exported["key"])
                say(f"Serving {served[:12]} on {host}:{ports['http']} (HTTP) and {host}:{ports['grpc']} (gRPC).")
                process = _start(workspace, want(workspace), backends, ports, host)
            if process is not None and process.poll() is not None:
                return process.returncode or 1
            time.sleep(_LOOKS_EVERY_S)
        return 0
    finally:
        if process is not None:
            end(process)


def _start(
    workspace: Workspace, wanted: dict[str, Any], backends: Path, ports: dict[str, int], host: str
) -> subprocess.Popen[bytes]:
    repository = home(workspace) / "served" / wanted["key"]
    return subprocess.Popen(
        command(repository, backends, ports, host),
        cwd=home(workspace),
        env=environment(addresses(workspace, wanted["server"], wanted["features"])),
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509  one call; a killed container leaves no orphan
    )
