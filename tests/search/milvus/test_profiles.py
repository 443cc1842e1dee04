"""Servers by name: tested before they are kept, their secrets in no text, and nothing of others is ever changed."""

import json
import stat
from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.search.embedded import server
from pipeline.search.milvus import foreign, profiles
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace
from tests.conftest import cli_here

pytestmark = pytest.mark.milvus


@pytest.fixture(scope="module")
def theirs(engine: MilvusEngine, points: np.ndarray) -> Iterator[str]:
    """Make two collections on a server that, seen from another workspace, are somebody else's."""
    for name, index in (("shop", "HNSW"), ("shop_pq", "IVF_PQ")):
        engine.create(name, points.shape[1], "IP")
        engine.insert(name, np.arange(2000), points[:2000], {})
        build = {"M": 16, "efConstruction": 100} if index == "HNSW" else {"nlist": 16, "m": 4, "nbits": 4}
        engine.build(name, index, build, "IP")
        engine.load(name)
    yield "shop"
    for name in ("shop", "shop_pq"):
        engine.drop(name)


@pytest.fixture
def named(workspace: Workspace, engine: MilvusEngine) -> Workspace:
    profiles.add(workspace, "mine", engine.endpoint.uri, engine.endpoint.token)
    return workspace


def test_a_server_is_tested_and_kept_without_its_secret(named: Workspace, engine: MilvusEngine) -> None:
    kept = profiles.profile(named, "mine")
    assert kept.version.startswith("2.3.5")
    assert kept.device == "cpu"
    assert {"HNSW", "IVF_PQ", "SCANN"} <= set(kept.types)
    assert not {t for t in kept.types if t.startswith("GPU")}
    assert 0 < kept.latency_ms < 1000
    secret = engine.endpoint.token.split(":")[1]
    holding = [p for p in named.root.rglob("*") if p.is_file() and secret in p.read_text(errors="replace")]
    assert [p.name for p in holding] == ["mine.token"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert f"{named.prefix}probe" not in engine.collections()


def test_the_command_line_keeps_and_forgets(workspace: Workspace, engine: MilvusEngine) -> None:
    code, answer = cli_here(
        workspace.root, "server", "add", "mine", engine.endpoint.uri, MILVUS_TOKEN=engine.endpoint.token
    )
    assert (code, answer["name"]) == (0, "mine")
    assert engine.endpoint.token not in json.dumps(answer)
    assert [s["name"] for s in cli_here(workspace.root, "server", "list")[1]["servers"]] == ["embedded", "mine"]
    assert cli_here(workspace.root, "server", "remove", "mine")[0] == 0
    assert not list((workspace.root / "servers").iterdir())


@pytest.mark.parametrize(
    ("name", "uri", "token", "expected"),
    [
        ("My Server", "http://127.0.0.1:1", "", "cannot name a server"),
        ("embedded", "http://127.0.0.1:1", "", "not 'embedded'"),
        ("mine", "http://root:pw@127.0.0.1:1", "", "ends up in logs"),
        ("mine", "localhost", "", "is no server's URI"),
        ("mine", "http://127.0.0.1:9", "", "does not answer"),
        ("mine", None, "root:wrong", "refused the user or password"),
    ],
)
def test_what_cannot_be_kept_is_a_sentence(
    workspace: Workspace, engine: MilvusEngine, name: str, uri: str | None, token: str, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        profiles.add(workspace, name, uri or engine.endpoint.uri, token)
    assert expected in str(caught.value)
    assert not profiles.profiles(workspace)


def test_collections_of_others_are_read_and_never_changed(
    named: Workspace, engine: MilvusEngine, points: np.ndarray, theirs: str
) -> None:
    before = engine.describe(theirs)
    with server.connect(named, "test", name="mine") as guest:
        about = foreign.look(guest, theirs)
        assert (about["rows"], about["dim"], about["index"]) == (2000, points.shape[1], "HNSW")
        assert (
            foreign.neighbours(guest, theirs, 5)["answers"][0][0] == foreign.neighbours(guest, theirs, 5)["queries"][0]
        )
        both = foreign.compare_collections(guest, theirs, "shop_pq", 10, 20)
        assert 0.05 < both["in_common"] < 1
        changes = (
            lambda: guest.create(theirs, 4, "IP"),
            lambda: guest.insert(theirs, np.arange(1), points[:1], {}),
            lambda: guest.build(theirs, "FLAT", {}, "IP"),
            lambda: guest.undeclare(theirs),
            lambda: guest.load(theirs),
            lambda: guest.release(theirs),
            lambda: guest.drop(theirs),
        )
        for change in changes:
            with pytest.raises(UserError, match="was not made here, so it is only read"):
                change()
    assert engine.describe(theirs) == before


def test_a_released_collection_of_others_is_left_alone(
    named: Workspace, engine: MilvusEngine, points: np.ndarray, theirs: str
) -> None:
    engine.release("shop_pq")
    with server.connect(named, "test", name="mine") as guest:
        with pytest.raises(UserError, match="what others made is not touched here"):
            foreign.neighbours(guest, "shop_pq", 5)
        with pytest.raises(UserError, match=r"no collection 'shopp'.*Did you mean"):
            foreign.look(guest, "shopp")
    engine.load("shop_pq")
