"""Clicks made up for the tests of models, and their catalogue."""

import numpy as np
import polars as pl

from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.sessions.histories import Histories
from pipeline.store.workspace import MANIFEST, Workspace, write_json


def clicks(sessions: int, items: int, seed: int = 0, longest: int = 7) -> tuple[pl.DataFrame, list[list[int]]]:
    """Make sessions that wander among neighbouring items; give them encoded, and as lists of columns by time."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(sessions):
        steps = random.integers(-2, 4, random.integers(2, longest + 1))
        made.append(((random.integers(items) + np.cumsum(steps)) % items).tolist())
    rows = [
        (session, session * 100 + place, FIRST_IDX + item, FIRST_IDX + item % 4)
        for session, clicked in enumerate(made)
        for place, item in enumerate(clicked)
    ]
    frame = pl.DataFrame(rows, schema=[SESSION_ID, TIMESTAMP, ITEM_IDX, CATEGORY_IDX], orient="row")
    return frame.with_columns(pl.from_epoch(TIMESTAMP).dt.replace_time_zone("UTC")), made


def catalogue(items: int, frame: pl.DataFrame) -> pl.DataFrame:
    """List every item with its clicks in `frame`."""
    counts = frame.group_by(ITEM_IDX).len("train_clicks")
    index = pl.DataFrame({ITEM_IDX: np.arange(FIRST_IDX, FIRST_IDX + items)})
    return index.join(counts, on=ITEM_IDX, how="left").with_columns(
        pl.col("train_clicks").fill_null(0),
        (FIRST_IDX + (pl.col(ITEM_IDX) - FIRST_IDX) % 4).alias(CATEGORY_IDX),
        pl.format("i{}", ITEM_IDX).alias(ITEM_ID),
    )


def histories(lists: list[list[int]]) -> Histories:
    """Turn lists of columns into histories."""
    flat = np.array([FIRST_IDX + item for row in lists for item in row], np.int64)
    end = np.cumsum([len(row) for row in lists])
    return Histories(flat, np.full_like(flat, FIRST_IDX), end - [len(row) for row in lists], end)


def with_robot(count: int) -> pl.DataFrame:
    """Make 30 sessions on 12 items, and one more that clicks `count` times."""
    frame, _ = clicks(30, 12)
    of = frame.schema
    robot = pl.concat([frame.head(1)] * count).with_columns(
        pl.lit(30).cast(of[SESSION_ID]).alias(SESSION_ID),
        (FIRST_IDX + pl.int_range(pl.len()) * 7 % 12).cast(of[ITEM_IDX]).alias(ITEM_IDX),
    )
    return pl.concat([frame, robot])


def data(workspace: Workspace, sessions: int = 400, items: int = 60, key: str = "made") -> None:
    """Write the stage 'data' as preprocessing does, without NVTabular; the last quarter of the sessions is the test."""
    frame, _ = clicks(sessions, items)
    is_test = pl.col(SESSION_ID) >= sessions * 3 // 4
    with workspace.writing("data") as folder:
        for part, chosen in (("train", ~is_test), ("test", is_test)):
            (folder / part).mkdir()
            frame.filter(chosen).write_parquet(folder / part / "part_0.parquet")
        catalogue(items, frame.filter(~is_test)).write_parquet(folder / "items.parquet")
        write_json(folder / MANIFEST, {"stage": "data", "key": key, "inputs": {}, "config": {}, "metrics": {}})
