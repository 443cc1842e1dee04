"""A small workspace with sessions, and its feature repository: Feast is imported once for all tests of a process."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.core.progress import Progress
from pipeline.serving.features.repository import apply
from pipeline.serving.features.stage import features
from pipeline.sessions import preprocess
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from tests.made.road import Nothing

ITEMS, SESSIONS = 40, 60


def write_data(workspace: Workspace, seed: int = 3) -> None:
    """Write the stage 'data': sessions of three clicks, some items without a price."""
    random = np.random.default_rng(seed)
    price = [None if n % 7 == 0 else float(n) + 0.1 for n in range(ITEMS)]
    clicks = pl.DataFrame(
        {
            "session_id": np.repeat(np.arange(SESSIONS), 3),
            "timestamp": [datetime(2026, 1, 1) + timedelta(minutes=n) for n in range(3 * SESSIONS)],
            "item_idx": random.integers(3, ITEMS + 3, 3 * SESSIONS),
        }
    ).with_columns((3 + pl.col("item_idx") % 4).alias("category_idx"))
    counts = clicks.head(120).group_by("item_idx").len("train_clicks")
    catalogue = pl.DataFrame(
        {"item_idx": range(3, ITEMS + 3), "item_id": [f"i{n}" for n in range(ITEMS)], "price": price}
    )
    coded = catalogue.with_columns((3 + pl.col("item_idx") % 4).alias("category_idx"))
    named = coded.with_columns(pl.format("kind {}", "category_idx").alias("category"))

    def body(folder: Path, report: Progress) -> dict[str, int]:
        for part, share in (("train", clicks.head(120)), ("test", clicks.tail(60))):
            (folder / part).mkdir()
            share.write_parquet(folder / part / "part.parquet")
        named.join(counts, on="item_idx", how="left").write_parquet(folder / "items.parquet")
        return {"seed": seed}

    run_stage(workspace, preprocess.STAGE, Nothing(), body, source=str(seed))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Path]:
    """Give a workspace and its repository, nothing online yet."""
    workspace = Workspace.open(tmp_path_factory.mktemp("features") / "ws")
    write_data(workspace)
    features(workspace)
    return workspace, apply(workspace)
