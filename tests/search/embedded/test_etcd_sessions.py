"""What a Milvus that ended leaves in etcd goes; what the living one entered stays."""

import json

import pytest

from pipeline.search.embedded import etcd_sessions, network, server
from pipeline.store.workspace import Workspace, read_json

pytestmark = pytest.mark.milvus


def _sessions(etcd: int) -> list[dict[str, str]]:
    reply = etcd_sessions._ask(
        etcd,
        "range",
        {"key": etcd_sessions._coded(etcd_sessions._PREFIX), "range_end": etcd_sessions._coded(etcd_sessions._END)},
    )
    return list(reply["kvs"])


def test_only_sessions_of_earlier_starts_are_forgotten(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network.NETWORK_VARIABLE, "shared")  # else nobody but the supervisor reaches etcd
    with server.connect(workspace, "test") as engine:
        ports = (read_json(server.home(workspace) / "server.json") or {})["ports"]
        etcd = ports["etcd_port"]
        before = len(_sessions(etcd))
        assert etcd_sessions.forget_ended(etcd, ports.values()) == 0
        ended = json.dumps({"ServerID": 1, "ServerName": "rootcoord", "Address": "192.0.2.1:9"})
        key = etcd_sessions._coded(etcd_sessions._PREFIX + "rootcoord-of-an-earlier-start")
        etcd_sessions._ask(etcd, "put", {"key": key, "value": etcd_sessions._coded(ended)})
        assert etcd_sessions.forget_ended(etcd, ports.values()) == 1
        assert len(_sessions(etcd)) == before
        assert engine.collections() == []
