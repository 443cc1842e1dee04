"""The app's connections: nobody waits for another one's server, and none stays open that nobody has."""

import gc
import os
import socket
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from pymilvus import connections

from app.state import Hold
from pipeline.core.errors import UserError
from pipeline.search.engine import Endpoint
from pipeline.search.milvus import connection
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace, write_json
from tests.conftest import wait_for

pytestmark = pytest.mark.milvus
SLOW_S = 2  # seconds after which a server that says nothing is given up


def _named(workspace: Workspace, name: str, uri: str, token: str) -> None:
    (workspace.root / "servers").mkdir(exist_ok=True)
    write_json(
        workspace.root / "servers" / f"{name}.json", {"name": name, "uri": uri, "version": "2.3", "device": "cpu"}
    )
    (workspace.root / "servers" / f"{name}.token").write_text(token)


@pytest.fixture
def hold(served: Workspace, engine: MilvusEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Give the app's hold on the tests' server, which is known as 'quick', too."""
    monkeypatch.setattr(connection, "TIMEOUT_S", SLOW_S)
    _named(served, "quick", engine.endpoint.uri, engine.endpoint.token)
    held = Hold(served)
    yield held
    held.let_go()


def test_a_slow_server_stalls_nobody_who_asks_another(served: Workspace, engine: MilvusEngine, hold: Hold) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _named(served, "slow", f"http://127.0.0.1:{silent.getsockname()[1]}", "")
        told: list[str] = []

        def visit() -> None:
            with pytest.raises(UserError) as caught:
                hold.engine("slow")
            told.append(str(caught.value))

        visitors = [threading.Thread(target=visit) for _ in range(2)]
        for visitor in visitors:
            visitor.start()
        began = time.monotonic()
        for name in ("embedded", "quick", "embedded"):
            assert hold.engine(name).collections() == engine.collections()
        assert time.monotonic() - began < SLOW_S
        assert not told, "they still wait"
        for visitor in visitors:
            visitor.join(4 * SLOW_S)
        assert len(told) == 2
        assert all("does not answer" in sentence or "slow to answer" in sentence for sentence in told)


def test_connections_end_that_were_replaced_or_failed(served: Workspace, engine: MilvusEngine, hold: Hold) -> None:
    port, process = engine.endpoint.uri.rsplit(":", 1)[1], psutil.Process()
    first = hold.engine("quick")
    gc.collect()
    files, before = process.num_fds(), len(connections._alias_handlers)
    for turn in range(20):
        _named(served, "quick", f"http://{('localhost', '127.0.0.1')[turn % 2]}:{port}", engine.endpoint.token)
        hold.engine("quick").collections()
        _named(served, "gone", engine.endpoint.uri, f"root:{turn}")
        with pytest.raises(UserError, match="refused the user or password"):
            hold.engine("gone")
    assert first.collections() == engine.collections(), "whoever has one goes on with it"
    assert len(connections._alias_handlers) <= before + 1
    assert len(connections._alias_config) <= len(connections._alias_handlers) + 1, "pymilvus has a default of its own"
    wait_for(lambda: process.num_fds() <= files + 4, 10, "files to be closed")


def test_a_server_that_was_removed_is_let_go(served: Workspace, hold: Hold) -> None:
    hold.engine("quick")
    for suffix in ("json", "token"):
        os.remove(served.root / "servers" / f"quick.{suffix}")
    with pytest.raises(UserError, match="There is no server 'quick'"):
        hold.engine("quick")
    assert not hold._lines


def test_an_engine_that_nobody_has_is_closed(engine: MilvusEngine) -> None:
    before = set(connections._alias_handlers)
    dropped = MilvusEngine(Endpoint(engine.endpoint.uri, engine.endpoint.token))
    assert dropped.alias in connections._alias_handlers
    del dropped
    assert set(connections._alias_handlers) == before
