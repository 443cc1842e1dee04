"""Another store than SQLite, by Feast's own configuration: a real Redis with a password."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis

from pipeline.core.errors import UserError
from pipeline.core.project import PROJECT
from pipeline.serving.features.fill import fill
from pipeline.serving.features.look_up import item_features, session_features
from pipeline.serving.features.online import OnlineFeatures
from pipeline.serving.features.repository import ONLINE_VARIABLE, YAML, apply, filled, online_type
from pipeline.serving.features.stage import features
from pipeline.store.workspace import Workspace
from tests.conftest import wait_for
from tests.serving.features.conftest import ITEMS, write_data

PASSWORD = "not-for-anybody"
pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server on this machine")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Give a Redis of this test's own, and name it in REDIS."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", ""]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL)
    client = redis.Redis("127.0.0.1", port, password=PASSWORD)
    try:
        wait_for(lambda: _answers(client), 20, "Redis to answer")
        monkeypatch.setenv("REDIS", f"127.0.0.1:{port},password={PASSWORD}")
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(20)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_features_go_into_redis_come_out_of_it_and_are_missed_when_it_is_emptied_or_gone(
    store: redis.Redis, tmp_path: Path
) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    write_data(workspace)
    features(workspace)
    by_sqlite = apply(workspace)
    fill(workspace, by_sqlite)
    keys = np.array([5, 3, 5, 9], np.int64)
    expected = OnlineFeatures(by_sqlite).items(keys)

    folder = apply(workspace, {"type": "redis", "connection_string": "${REDIS}"})
    assert PASSWORD not in (folder / YAML).read_text()
    with pytest.raises(UserError, match="holds no items yet"):
        OnlineFeatures(folder)
    fill(workspace, folder)
    assert store.dbsize() == ITEMS + 20
    online = OnlineFeatures(folder)
    for name, values in online.items(keys).items():
        np.testing.assert_array_equal(values, expected[name])
    assert item_features(workspace, "i1")["features"]["price"] == pytest.approx(1.1)
    assert session_features(workspace, "41")["features"]["length"] == 3

    store.flushall()
    with pytest.raises(UserError, match="knows none of these 4 items: run `features materialize`"):
        online.items(keys)
    fill(workspace, folder)
    assert store.dbsize() == ITEMS + 20, "what was told as filled is looked at before it is believed"
    assert filled(folder)["items"]["done"]

    store.shutdown(nosave=True)
    for call in (
        lambda: online.items(keys),
        lambda: fill(workspace, folder),
        lambda: apply(workspace) and fill(workspace, folder),
    ):
        with pytest.raises(UserError) as refused:
            call()
        assert "The feature store does not answer" in str(refused.value)
        assert PASSWORD not in str(refused.value)


def test_a_wrong_password_is_told_without_it(
    store: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    write_data(workspace)
    features(workspace)
    monkeypatch.setenv("REDIS", f"127.0.0.1:{store.connection_pool.connection_kwargs['port']},password=mistyped-one")
    folder = apply(workspace, {"type": "redis", "connection_string": "${REDIS}"})
    with pytest.raises(UserError, match="could not be written") as refused:
        fill(workspace, folder)
    assert "mistyped-one" not in str(refused.value)


def test_the_environment_names_the_store_of_a_container(
    store: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    write_data(workspace)
    features(workspace)
    monkeypatch.setenv(ONLINE_VARIABLE, str(PROJECT / "assets" / "redis.yaml"))
    monkeypatch.setenv("FEAST_REDIS", os.environ["REDIS"])
    folder = apply(workspace)
    assert online_type(folder) == "redis"
    fill(workspace, folder)
    assert store.dbsize() == ITEMS + 20
