"""What is built: which one serves, what is dropped and brought back, and names that stand side by side."""

import os
import threading
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline.bench import published
from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.core.stage import run_stage
from pipeline.core.workspace import Workspace, write_json
from pipeline.indexes import registry
from pipeline.indexes.build import IndexConfig, free_name, identity, index_name
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.engine import Engine


def _put(workspace: Workspace, under: str = "", **chosen: Any) -> str:
    """Write what an index stage leaves, without a server."""
    config = IndexConfig(**chosen)
    name = under or config.name
    metrics = {
        "rows": 5000,
        "dim": 64,
        "params": {"M": 16, "efConstruction": 200},
        "note": "",
        "collection": f"{workspace.prefix}{name}_{uuid.uuid4().hex[:12]}",
    }

    def body(folder: Path, report: Any) -> dict[str, Any]:
        return metrics

    run_stage(workspace, registry.index_stage(name), config, body)
    return name


def test_names_tell_vectors_model_type_server_and_label() -> None:
    assert IndexConfig().name == "items-session-hnsw"
    assert IndexConfig(index="GPU_CAGRA", server="card", label="wide").name == "items-session-gpu_cagra-wide@card"
    assert IndexConfig(server="http://10.0.0.7:19530").name.startswith("items-session-hnsw@10.0.0.7~")


_HYPHENED = st.from_regex(r"[a-c][a-c-]{0,3}", fullmatch=True)
_CONFIGS = st.builds(
    IndexConfig,
    vectors=st.sampled_from(["items", "sessions"]),
    model=st.from_regex(r"[a-c][a-c_]{0,3}", fullmatch=True),
    index=st.sampled_from(sorted(CATALOGUE)),
    metric=st.just("L2"),
    server=st.just("embedded") | _HYPHENED | _HYPHENED.map("http://{}:19530".format) | _HYPHENED.map("tcp://{}".format),
    label=st.just("") | _HYPHENED,
)


@given(one=_CONFIGS, other=_CONFIGS)
@example(one=IndexConfig(server="mine"), other=IndexConfig(label="mine"))
@example(one=IndexConfig(server="http://a:1"), other=IndexConfig())
@example(one=IndexConfig(server="http://a:1"), other=IndexConfig(server="http://a:2"))
@example(one=IndexConfig(server="a-b", label="c"), other=IndexConfig(server="a", label="b-c"))
@settings(max_examples=150, deadline=None)
def test_what_is_not_the_same_index_has_another_name(one: IndexConfig, other: IndexConfig) -> None:
    assert (one.name == other.name) == (identity(asdict(one)) == identity(asdict(other)))
    assert "/" not in one.name


def test_one_of_an_earlier_version_is_found_and_gives_its_name_to_no_other(workspace: Workspace) -> None:
    on_mine = IndexConfig(server="mine")
    assert _put(workspace, under=on_mine.earlier_name, server="mine") == "items-session-hnsw-mine"
    assert index_name(workspace, on_mine) == "items-session-hnsw-mine"
    assert registry.find_index(workspace, "items-session-hnsw-mine")["server"] == "mine"
    registry.serve(workspace, "items-session-hnsw-mine", "ef=120")
    labelled = IndexConfig(label="mine")
    assert free_name(workspace, labelled) == labelled.name == "items-session-hnsw-mine"
    assert registry.find_index(workspace, on_mine.name)["server"] == "mine"
    assert registry.serving(workspace, "session")["name"] == index_name(workspace, on_mine) == on_mine.name
    assert free_name(workspace, IndexConfig(server="http://mine:19530")).startswith("items-session-hnsw@mine~")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"label": "M 32"}, "The label 'M 32' is not"),
        ({"metric": "DOT"}, "HNSW has no metric 'DOT': choose L2, IP, COSINE"),
        ({"index": "GPU_IVF_PQ", "metric": "COSINE"}, "GPU_IVF_PQ has no metric 'COSINE': choose L2, IP"),
        ({"vectors": "users"}, "There are no vectors of 'users'"),
    ],
)
def test_what_cannot_be_built_is_a_sentence(chosen: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        IndexConfig(**chosen)
    assert expected in str(caught.value)


def test_the_newest_serves_until_another_is_chosen(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="No index of session's items is built"):
        registry.serving(workspace, "session")
    first, second = _put(workspace), _put(workspace, label="b")
    sessions = _put(workspace, vectors="sessions")
    registry.serve(workspace, first)
    assert registry.serving(workspace, "session")["name"] == first
    registry.serve(workspace, second)
    assert registry.serving(workspace, "session")["name"] == second
    registry.serve(workspace, second, "ef=120")
    assert (registry.served_search(workspace, second), registry.served_search(workspace, first)) == ("ef=120", "")
    with pytest.raises(UserError, match="has no parameter 'nprobe'"):
        registry.serve(workspace, first, "nprobe=4")
    with pytest.raises(UserError, match="holds sessions"):
        registry.serve(workspace, sessions)
    registry.set_aside(workspace, second)  # one that is gone serves no more
    assert registry.serving(workspace, "session")["name"] == first


def test_an_index_built_later_serves_only_when_it_is_chosen(workspace: Workspace) -> None:
    registry.keep_serving(workspace, "session")  # nothing serves yet
    first, other = _put(workspace), _put(workspace, model="two_tower")
    registry.serve(workspace, other, "ef=120")
    registry.keep_serving(workspace, "session")  # as each build of an items index does
    second = _put(workspace, index="FLAT")
    assert registry.serving(workspace, "session")["name"] == first
    registry.serve(workspace, second)
    assert registry.serving(workspace, "session")["name"] == second
    assert registry.serving(workspace, "two_tower")["name"] == other  # each model has a choice of its own
    assert registry.served_search(workspace, other) == "ef=120"


def test_the_one_choice_of_an_earlier_version_is_kept(workspace: Workspace) -> None:
    first = _put(workspace)
    _put(workspace, label="b")
    write_json(workspace.root / registry.SERVING, {"index": first, "search": "ef=90"})
    assert registry.serving(workspace, "session")["name"] == first
    assert registry.served_search(workspace, first) == "ef=90"


def test_what_is_dropped_comes_back_as_it_was(workspace: Workspace) -> None:
    name = _put(workspace)
    before = registry.list_indexes(workspace)
    registry.set_aside(workspace, name)
    assert registry.list_indexes(workspace) == []
    assert [row["name"] for row in registry.dropped(workspace)] == [name]
    workspace.sweep()  # the next writer leaves what can still be brought back
    registry.bring_back(workspace, name)
    assert registry.list_indexes(workspace) == before
    with pytest.raises(UserError, match="no dropped index"):
        registry.bring_back(workspace, name)


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
    name = _put(workspace)
    older = _collection(workspace, name)
    registry.set_aside(workspace, name)
    _put(workspace)
    newer = _collection(workspace, name)
    with pytest.raises(UserError, match="was built since: drop it first"):
        registry.bring_back(workspace, name)  # the older one
    registry.set_aside(workspace, name)
    assert [row["collection"] for row in registry.dropped(workspace)] == [newer, older]
    registry.bring_back(workspace, name)
    assert _collection(workspace, name) == newer
    with pytest.raises(UserError, match="was built since"):
        registry.bring_back(workspace, name)
    assert [row["collection"] for row in registry.dropped(workspace)] == [older]
    registry.set_aside(workspace, name)
    registry.bring_back(workspace, name, aside=1)
    assert _collection(workspace, name) == older


def test_dropping_for_good_takes_the_one_that_is_named(workspace: Workspace) -> None:
    name = _put(workspace)
    older = _collection(workspace, name)
    aside = registry.set_aside(workspace, name)
    _put(workspace)
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
    name = _put(workspace)
    workspace.move(registry.index_stage(name), f"{registry.TRASH}/{name}")
    assert [(row["name"], row["aside"]) for row in registry.dropped(workspace)] == [(name, 0)]
    registry.bring_back(workspace, name)
    assert registry.dropped(workspace) == []
    assert registry.find_index(workspace, name)


def _moves_while_the_writer_sweeps(workspace: Workspace, seconds: float) -> None:
    name = _put(workspace)
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
            registry.set_aside(workspace, name)
            registry.bring_back(workspace, name)
            moves += 1
    finally:
        ended.set()
        thread.join()
    assert not found
    assert moves > 20
    assert server.names == [collection]  # the other one was nobody's
    assert _collection(workspace, name) == collection
    assert len(os.listdir(workspace.root / ".store")) == 1


def test_what_is_dropped_and_brought_back_while_a_writer_sweeps_is_kept(workspace: Workspace) -> None:
    _moves_while_the_writer_sweeps(workspace, 2.0)


@pytest.mark.long
def test_what_is_dropped_and_brought_back_for_a_minute_is_kept(workspace: Workspace) -> None:
    _moves_while_the_writer_sweeps(workspace, 60.0)


def test_memory_and_disk_are_estimated(workspace: Workspace) -> None:
    _put(workspace)
    row = registry.list_indexes(workspace)[0]
    assert 5000 * 64 * 4 < row["memory_bytes"] < row["disk_bytes"] < 5_000_000


def test_published_figures_are_those_of_the_study() -> None:
    assert published.results().height == 270
    best = {(r["scenario"], r["device"]): r["qps"] for r in published.best_qps(0.95).iter_rows(named=True)}
    assert best["user-user", "gpu"] == 39856
    assert best["item-item", "cpu"] == 14426


def test_an_index_of_another_training_is_told(workspace: Workspace) -> None:
    def made(stage: str, label: str, *inputs: str) -> None:
        run_stage(workspace, stage, IndexConfig(label=label), lambda folder, report: {}, inputs=inputs)

    index = {"name": "x", "model": "session"}
    made("models/session", "a")
    made("vectors/session", "", "models/session")
    made("indexes/x", "", "vectors/session")
    assert not registry.of_another_training(workspace, index)
    made("models/session", "b")
    assert registry.of_another_training(workspace, index)
    made("vectors/session", "", "models/session")
    assert registry.of_another_training(workspace, index)
    made("indexes/x", "", "vectors/session")
    assert not registry.of_another_training(workspace, index)
