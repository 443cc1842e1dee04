"""What a Milvus that ended leaves in etcd goes; what the living one entered stays."""

import json

import pytest

from pipeline.core.workspace import Workspace, read_json
from pipeline.search.embedded import etcd_sessions as stale
from pipeline.search.embedded import network, server

pytestmark = pytest.mark.milvus


def _sessions(etcd: int) -> list[dict[str, str]]:
    reply = stale._ask(etcd, "range", {"key": stale._coded(stale._PREFIX), "range_end": stale._coded(stale._END)})
    return list(reply["kvs"])


def test_only_sessions_of_earlier_starts_are_forgotten(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network.NETWORK_VARIABLE, "shared")  # else nobody but the supervisor reaches etcd
    with server.connect(workspace, "test") as engine:
        ports = (read_json(server.home(workspace) / "server.json") or {})["ports"]
        etcd = ports["etcd_port"]
        before = len(_sessions(etcd))
        assert stale.forget_ended(etcd, ports.values()) == 0
        ended = json.dumps({"ServerID": 1, "ServerName": "rootcoord", "Address": "192.0.2.1:9"})
        key = stale._coded(stale._PREFIX + "rootcoord-of-an-earlier-start")
        stale._ask(etcd, "put", {"key": key, "value": stale._coded(ended)})
        assert stale.forget_ended(etcd, ports.values()) == 1
        assert len(_sessions(etcd)) == before
        assert engine.collections() == []
