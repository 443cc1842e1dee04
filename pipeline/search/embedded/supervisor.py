"""The process that owns one workspace's Milvus: starts it, restarts it, and stops it 30 s after the last lease ends.

Run as `python -m pipeline.search.embedded.enclosed MILVUS_FOLDER` by server.py; it answers through server.json.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.search.embedded.binary import prepare_home
from pipeline.search.embedded.etcd_sessions import forget_ended
from pipeline.search.embedded.leases import gate
from pipeline.search.embedded.life import become_only, die_with_parent, is_held, stop
from pipeline.search.embedded.relay import Relay
from pipeline.search.embedded.restarts import Restarts
from pipeline.search.embedded.start_failure import explained
from pipeline.search.engine import Endpoint
from pipeline.store.workspace import read_json, write_json, write_secret

GRACE_VARIABLE = "CLICK_ROAD_MILVUS_GRACE_S"
GRACE_S = 30.0
PIN_VARIABLE = "CLICK_ROAD_MILVUS_PIN"
USER = "root"
_FIRST_PASSWORD = "Milvus"  # what every new Milvus begins with; changed before anyone is told the port
_READY_S = 90.0
_RESTARTS, _WITHIN_S = 3, 300.0


def main(home: Path, public: socket.socket | None) -> int:
    """Serve until nobody holds a lease; give 0, or 1 where the server could not be started.

    `public` is the socket that is relayed to the server, None where the server has no network of its own.
    """
    guard = become_only(home)
    if guard is None:
        return 0
    if PIN_VARIABLE in os.environ:
        (home / "pinned").touch()
    else:
        (home / "pinned").unlink(missing_ok=True)  # a pin is worth as long as the supervisor that took it
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    starts: list[float] = []
    restarts = Restarts()
    relay = None if public is None else Relay(public, lambda: _inner_port(home))
    while True:
        starts = [t for t in starts if time.monotonic() - t < _WITHIN_S] + [time.monotonic()]
        if len(starts) > _RESTARTS + 1:
            return _fail(home, f"it ended {_RESTARTS + 1} times within {_WITHIN_S / 60:.0f} minutes")
        try:
            server = _start(home, guard, public, restarts)
        except (UserError, OSError) as error:
            return _fail(home, str(error))
        if _serve(home, server, stopping, relay):
            return 0
        restarts.ended(server.returncode)


def _inner_port(home: Path) -> int:
    return int((read_json(home / "server.json") or {}).get("ports", {}).get("proxy_port", 0))


def _fail(home: Path, reason: str) -> int:
    log = home / "logs" / "server.log"
    write_json(
        home / "server.json", {"state": "failed", "error": f"The embedded Milvus did not run: {reason}; see {log}."}
    )
    return 1


def _start(home: Path, guard: int, public: socket.socket | None, restarts: Restarts) -> subprocess.Popen[bytes]:
    """Start the server, wait until it is healthy, and set its password before the port is told."""
    ours = {"supervisor_pid": os.getpid(), "since": time.time()}
    write_json(home / "server.json", {"state": "starting"} | ours | restarts.about())
    command, environment, ports = prepare_home(home)
    with (home / "logs" / "server.log").open("ab") as log:
        begins = log.tell()
        server = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[guard],
            preexec_fn=die_with_parent,  # noqa: PLW1509  one call; a killed supervisor leaves no orphan
        )
    inside = f"http://127.0.0.1:{ports['proxy_port']}"
    uri = inside if public is None else f"http://127.0.0.1:{public.getsockname()[1]}"
    try:
        _wait(server, lambda: forget_ended(ports["etcd_port"], ports.values()) >= 0)
        _wait(server, lambda: _is_healthy(ports["metrics_port"]))
        version = _set_password(home, inside)
    except BaseException as error:
        server.kill()
        server.wait()
        if isinstance(error, UserError):
            raise UserError(f"{error}{explained(home, home / 'logs' / 'server.log', begins)}") from error
        raise
    about: dict[str, Any] = {"state": "ready", "uri": uri, "user": USER, "version": version, "pid": server.pid}
    about |= {"enclosed": public is not None, "ports": ports}
    restarts.ready()
    write_json(home / "server.json", about | ours | {"since": time.time()} | restarts.about())
    return server


def _wait(server: subprocess.Popen[bytes], done: Callable[[], bool]) -> None:
    """Ask until it is done; a part that does not listen yet is asked again."""
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise UserError(f"it ended with exit code {server.returncode} before it was ready")
        with contextlib.suppress(OSError):
            if done():
                return
        time.sleep(0.1)
    raise UserError(f"it was not ready within {_READY_S:.0f} s")


def _is_healthy(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as reply:
        return b"OK" in reply.read()


def _set_password(home: Path, uri: str) -> str:
    """Replace the first password by one that only this user can read; give the server's version."""
    from pymilvus import utility

    from pipeline.search.milvus.client import MilvusEngine

    password = _password(home)
    deadline = time.monotonic() + 30
    while True:
        for current in (password, _FIRST_PASSWORD):  # a kill may have come between writing and changing it
            with contextlib.suppress(UserError):
                engine = MilvusEngine(Endpoint(uri, f"{USER}:{current}"))
                if current != password:
                    utility.update_password(USER, current, password, using=engine.alias)
                    engine.close()
                    engine = MilvusEngine(Endpoint(uri, f"{USER}:{password}"))
                version = engine.version()
                engine.collections()
                engine.close()
                return version
        if time.monotonic() > deadline:
            raise UserError("it accepts neither its first password nor the one in the password file")
        time.sleep(0.3)


def _password(home: Path) -> str:
    path = home / "password"
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(24))
    return path.read_text().strip()


def _serve(home: Path, server: subprocess.Popen[bytes], stopping: list[int], relay: Relay | None) -> bool:
    """Watch server, relay and leases; give True when it has been stopped on purpose, False when it died."""
    grace = float(os.environ.get(GRACE_VARIABLE, GRACE_S))
    last_held = time.monotonic()
    while server.poll() is None:
        if relay is not None:
            relay.start()  # again, where it ended
        if is_held(home):
            last_held = time.monotonic()
        if stopping or time.monotonic() - last_held > grace:
            with gate(home):
                if stopping or not is_held(home):
                    (home / "server.json").unlink(missing_ok=True)
                    (home / "pinned").unlink(missing_ok=True)
                    stop(server)
                    return True
        time.sleep(0.25)
    return False
