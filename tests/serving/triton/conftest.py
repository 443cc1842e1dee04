"""One workspace that answers in four stages, with its own Milvus and one real tritonserver for all tests here."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from pipeline.core.arrays import Ints
from pipeline.search.embedded.server import connect
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.ensemble.export import export_in_use
from pipeline.serving.stages.answer import Answers
from pipeline.serving.stages.fast import FastPath, batch
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.served import ServedModel, find_served
from pipeline.serving.triton import server
from pipeline.serving.triton.client import TritonClient
from pipeline.sessions import preprocess
from pipeline.store.workspace import Workspace
from tests.made.served import make_served

NEW = 10**12  # a session that the store does not know


@dataclass(frozen=True, eq=False)
class FourStages:
    workspace: Workspace
    engine: MilvusEngine
    served: ServedModel
    keys: Ints
    histories: list[list[int]]

    def fast(self, rows: slice = slice(None), temperature: float = 0.7) -> Answers:
        with connect(self.workspace, "tests") as engine:  # it may have been killed, and listen elsewhere since
            path, how = FastPath(self.served), self.how(rows, temperature)
            return path.answer(self.keys[rows], self.requests(rows), engine, *how)

    def triton(self, rows: slice = slice(None), temperature: float = 0.7) -> Answers:
        client = TritonClient(server.address(self.workspace), ranked=True)
        try:
            return client.answer(self.keys[rows], self.requests(rows), *self.how(rows, temperature))
        finally:
            client.close()

    def requests(self, rows: slice) -> Requests:
        return Requests.of(self.histories[rows])

    def how(self, rows: slice, temperature: float) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        return batch(temperature, 9, len(self.keys[rows]))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FourStages]:
    workspace = Workspace.open(tmp_path_factory.mktemp("four") / "ws")
    with connect(workspace, "tests") as engine:
        make_served(workspace, engine)
        export_in_use(workspace)
        tested = preprocess.load_part(workspace, "test").group_by("session_id", maintain_order=True).agg("item_idx")
        trained = preprocess.load_part(workspace, "train").group_by("session_id", maintain_order=True).agg("item_idx")
        both = pl.concat([tested, trained.head(60)])  # of the latter the store knows nothing, as of the last ones
        keys = np.append(both["session_id"].to_numpy()[:-10], NEW + np.arange(10))
        server.up(workspace)
        try:
            yield FourStages(workspace, engine, find_served(workspace), keys, both["item_idx"].to_list())
        finally:
            server.down(workspace)
