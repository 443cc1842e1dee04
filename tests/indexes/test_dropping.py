"""On a real server: what is set aside keeps its collection until it is named, whatever is built meanwhile."""

import pytest

from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.registry import drop_index, dropped, find_index, set_index_aside
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace
from tests.conftest import cli_here
from tests.made.road import make_road

pytestmark = [
    pytest.mark.milvus,
    pytest.mark.long,
]  # two builds and a command: what it shows, test_indexes holds without a server
CONFIG = IndexConfig(index="FLAT", label="twice")


def _build(workspace: Workspace, engine: MilvusEngine) -> str:
    build_index(workspace, CONFIG, engine)
    return str(find_index(workspace, CONFIG.name)["collection"])


def test_two_of_one_name_are_dropped_one_by_one(served: Workspace, engine: MilvusEngine) -> None:
    make_road(served)
    older = _build(served, engine)
    aside = set_index_aside(served, CONFIG.name)
    newer = _build(served, engine)
    assert {older, newer} <= set(engine.collections())
    drop_index(served, CONFIG.name, engine)
    assert (older in engine.collections(), newer in engine.collections()) == (True, False)
    assert cli_here(served.root, "index", "drop", CONFIG.name, "--aside", str(aside))[0] == 0
    assert older not in engine.collections()
    assert dropped(served, CONFIG.name) == []
