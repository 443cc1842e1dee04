"""Where the load generator reaches a server: within its own network, so that the relay is not measured."""

import contextlib
from urllib.parse import urlsplit

import psutil

from pipeline.bench.load.messages import Target
from pipeline.search.embedded import server
from pipeline.search.engine import Endpoint
from pipeline.store.workspace import Workspace, read_json

_PORTS = {"http": 19530, "tcp": 19530, "https": 443}  # as pymilvus takes a URI without a port


def target(workspace: Workspace, endpoint: Endpoint) -> Target:
    """Give where clients find a server, and which processes of this machine it is."""
    parts = urlsplit(endpoint.uri)
    port = parts.port or _PORTS[parts.scheme]
    address = f"{parts.hostname}:{port}"
    tls = parts.scheme == "https"
    if not endpoint.embedded:
        return Target(address, endpoint.token, tls, server_pids=_listening(parts.hostname or "", port))
    about = read_json(server.home(workspace) / "server.json") or {}
    pids = (int(about["supervisor_pid"]),)  # the server runs below it, and the relay within it
    if not about["enclosed"]:
        return Target(address, endpoint.token, tls, server_pids=pids)
    inner = f"127.0.0.1:{about['ports']['proxy_port']}"
    return Target(address, endpoint.token, tls, inner, int(about["pid"]), pids)


def _listening(host: str, port: int) -> tuple[int, ...]:
    """Find the processes of this machine that listen on a port of it."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        return ()
    with contextlib.suppress(psutil.Error):
        found = psutil.net_connections("tcp")
        return tuple({c.pid for c in found if c.status == psutil.CONN_LISTEN and c.laddr.port == port and c.pid})
    return ()
