"""Entries that a Milvus which ended leaves in its etcd: its successor would wait 25 s for them to lapse, in place of 5.

Each of its parts enters a session (name, address, a lease of some seconds) under one prefix and takes those of the last
start for living ones. One process serves a workspace, so whatever names a port of another start is dead.
"""

import base64
import json
import urllib.request
from collections.abc import Iterable
from typing import Any

_PREFIX, _END = "by-dev/meta/session/", "by-dev/meta/session0"  # '0' follows '/': all keys below the prefix


def forget_ended(etcd_port: int, ports: Iterable[int]) -> int:
    """Delete the sessions of earlier starts and give their number; an OSError while etcd does not listen yet."""
    living = {str(port) for port in ports}
    reply = _ask(etcd_port, "range", {"key": _coded(_PREFIX), "range_end": _coded(_END)})
    ended = [entry["key"] for entry in reply.get("kvs", []) if _port(entry) not in living | {""}]
    for key in ended:
        _ask(etcd_port, "deleterange", {"key": key})
    return len(ended)


def _port(entry: dict[str, str]) -> str:
    """Read the port that a session names; empty for the counter that stands among them."""
    try:
        session = json.loads(base64.b64decode(entry.get("value", "")))
    except ValueError:
        return ""
    return str(session.get("Address", "")).rpartition(":")[2] if isinstance(session, dict) else ""


def _ask(port: int, verb: str, body: dict[str, str]) -> dict[str, Any]:
    """Ask etcd by its JSON gateway (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/)."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v3/kv/{verb}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=2) as reply:
        return dict(json.load(reply))


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
