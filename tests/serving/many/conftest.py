"""One workspace that answers in four stages, with its own Milvus, for all tests here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from pipeline.core.columns import FIRST_IDX
from pipeline.search.embedded.server import connect
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.ensemble.export import prepare_features
from pipeline.sessions import preprocess
from pipeline.store.workspace import Workspace
from tests.made.served import make_served


@dataclass(frozen=True, eq=False)
class Answering:
    workspace: Workspace
    engine: MilvusEngine
    log: Path
    """The test sessions' clicks, and a session that clicked nothing known."""


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    folder = tmp_path_factory.mktemp("many")
    workspace = Workspace.open(folder / "ws")
    with connect(workspace, "tests") as engine:
        make_served(workspace, engine)
        prepare_features(workspace)
        clicks = preprocess.load_part(workspace, "test").select(
            "session_id", "timestamp", pl.format("i{}", pl.col("item_idx") - FIRST_IDX).alias("item_id")
        )
        strange = clicks.tail(2).with_columns(pl.lit(10**9).alias("session_id"), pl.lit("nobody's").alias("item_id"))
        pl.concat([clicks, strange], how="vertical_relaxed").write_csv(folder / "log.csv")
        yield Answering(workspace, engine, folder / "log.csv")
