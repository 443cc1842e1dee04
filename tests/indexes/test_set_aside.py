"""What is dropped is set aside, and comes back as it was until it is dropped for good."""

import os
import threading
import time
from typing import cast

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.indexes import registry
from pipeline.search.engine import Engine
from pipeline.store.workspace import Workspace
from tests.indexes.built import put_built


def test_what_is_dropped_comes_back_as_it_was(workspace: Workspace) -> None:
    name = put_built(workspace)
    before = registry.list_indexes(workspace)
    registry.set_index_aside(workspace, name)
    assert registry.list_indexes(workspace) == []
    assert [row["name"] for row in registry.dropped(workspace)] == [name]
    workspace.sweep()  # the next writer leaves what can still be restored
    registry.restore_index(workspace, name)
    assert registry.list_indexes(workspace) == before
    with pytest.raises(UserError, match="no dropped index"):
        registry.restore_index(workspace, name)


class _Server:
    """Of a server, what dropping asks for: its collections."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def collections(self) -> list[str]:
        return list(self.names)

    def drop(self, name: str) -> None:
        self.names.remove(name)


def _collection(workspace: Workspace, name: str) -> str:
    return str(registry.find_index(workspace, name)["collection"])


def test_the_last_one_dropped_comes_back_first_and_none_takes_anothers_place(workspace: Workspace) -> None:
    name = put_built(workspace)
    older = _collection(workspace, name)
    registry.set_index_aside(workspace, name)
    put_built(workspace)
    newer = _collection(workspace, name)
    with pytest.raises(UserError, match="was built since: drop it first"):
        registry.restore_index(workspace, name)  # the older one
    registry.set_index_aside(workspace, name)
    assert [row["collection"] for row in registry.dropped(workspace)] == [newer, older]
    registry.restore_index(workspace, name)
    assert _collection(workspace, name) == newer
    with pytest.raises(UserError, match="was built since"):
        registry.restore_index(workspace, name)
    assert [row["collection"] for row in registry.dropped(workspace)] == [older]
    registry.set_index_aside(workspace, name)
    registry.restore_index(workspace, name, aside=1)
    assert _collection(workspace, name) == older


def test_dropping_for_good_takes_the_one_that_is_named(workspace: Workspace) -> None:
    name = put_built(workspace)
    older = _collection(workspace, name)
    aside = registry.set_index_aside(workspace, name)
    put_built(workspace)
    newer = _collection(workspace, name)
    server = _Server(older, newer)
    registry.drop_index(workspace, name, cast(Engine, server))
    assert server.names == [older]
    at = ["--workspace", str(workspace.root)]
    answer = CliRunner().invoke(app, ["index", "drop", name, *at])
    assert answer.exit_code == 2
    assert f"set aside: restore it on the Index page, or remove it for good with `index drop {name} --aside 1`" in (
        answer.output
    )
    assert f"set aside: {name}" in CliRunner().invoke(app, ["index", "list", *at]).output
    with pytest.raises(UserError, match=r"no dropped index '.*' of number 7"):
        registry.drop_index(workspace, name, cast(Engine, server), 7)
    registry.drop_index(workspace, name, cast(Engine, server), aside)
    assert (server.names, registry.dropped(workspace)) == ([], [])


def test_what_an_earlier_version_set_aside_comes_back(workspace: Workspace) -> None:
    name = put_built(workspace)
    workspace.move(registry.index_stage(name), f"{registry.TRASH}/{name}")
    assert [(row["name"], row["aside"]) for row in registry.dropped(workspace)] == [(name, 0)]
    registry.restore_index(workspace, name)
    assert registry.dropped(workspace) == []
    assert registry.find_index(workspace, name)


def _moves_while_the_writer_sweeps(workspace: Workspace, seconds: float) -> None:
    name = put_built(workspace)
    collection = _collection(workspace, name)
    server, ended = _Server(f"{workspace.prefix}x", collection), threading.Event()
    found: list[Exception] = []

    def writer() -> None:
        while not ended.is_set() and not found:
            workspace.sweep()
            registry.drop_unreferenced(workspace, cast(Engine, server))

    def writes() -> None:
        try:
            writer()
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=writes)
    thread.start()
    deadline, moves = time.monotonic() + seconds, 0
    try:
        while time.monotonic() < deadline and not found:
            registry.set_index_aside(workspace, name)
            registry.restore_index(workspace, name)
            moves += 1
    finally:
        ended.set()
        thread.join()
    assert not found
    assert moves > 20
    assert server.names == [collection]  # the other one was nobody's
    assert _collection(workspace, name) == collection
    assert len(os.listdir(workspace.root / ".store")) == 1


def test_what_is_dropped_and_restored_while_a_writer_sweeps_is_kept(workspace: Workspace) -> None:
    _moves_while_the_writer_sweeps(workspace, 2.0)


@pytest.mark.long
def test_what_is_dropped_and_restored_for_a_minute_is_kept(workspace: Workspace) -> None:
    _moves_while_the_writer_sweeps(workspace, 60.0)
