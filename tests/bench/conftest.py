"""One real server for all benchmark tests, with a collection that is ready to be searched."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.bench.load.access import target
from pipeline.bench.load.messages import Target
from pipeline.bench.load.requests import Search
from pipeline.core.arrays import Floats
from pipeline.search.embedded.server import connect
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace

ROWS, DIM, TOP_K = 4000, 16, 20


@dataclass(frozen=True)
class Served:
    workspace: Workspace
    engine: MilvusEngine
    vectors: Floats
    queries: Floats
    search: Search

    @property
    def target(self) -> Target:
        """Give the server's processes."""
        return target(self.workspace, self.engine.endpoint)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = Workspace.open(tmp_path_factory.mktemp("bench") / "ws")
    random = np.random.default_rng(11)
    vectors, queries = (random.standard_normal((rows, DIM), np.float32) for rows in (ROWS, 300))
    with connect(workspace, "tests") as engine:
        engine.create("ready", DIM, "IP")
        engine.insert("ready", np.arange(ROWS), vectors, {})
        engine.build("ready", "IVF_FLAT", {"nlist": 16}, "IP")  # HNSW answers a query that it knows otherwise
        engine.load("ready")
        search = Search("ready", "IP", {"nprobe": 4}, TOP_K)
        yield Served(workspace, engine, vectors, queries, search)
