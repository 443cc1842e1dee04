"""What answers in four stages, without training: real stages, index, features and ensemble over random weights."""

import itertools
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import FIRST_IDX
from pipeline.core.progress import Progress
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.models.dlrm.model import DlrmConfig
from pipeline.models.dlrm.network import DlrmNetwork, Layer
from pipeline.models.dlrm.pairs import CATEGORICAL, CONTINUOUS, PairTables
from pipeline.models.tower import Tower, TwoTower
from pipeline.models.two_tower.model import TOWERS, TwoTowerConfig
from pipeline.search.engine import Database
from pipeline.sessions import preprocess
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace, write_json
from pipeline.vectors.embed import embed
from tests.made.road import Nothing

ITEMS, SESSIONS, CLICKS, CATEGORIES, DIM = 400, 300, 6, 4, 16


def make_served(workspace: Workspace, engine: Database, ranked: bool = True) -> None:
    """Write sessions 0, 1, … of six clicks on items i0, i1, …, towers, their index and, if `ranked`, a ranker."""
    random = np.random.default_rng(11)
    clicks = _clicks(random)
    run_stage(workspace, preprocess.STAGE, Nothing(), lambda folder, report: _data(folder, clicks, random))

    make_towers(workspace, seed=42)
    embed(workspace, "two_tower")
    build_index(workspace, IndexConfig(model="two_tower", index="FLAT"), engine)
    if ranked:
        make_ranker(workspace, seed=1)


def make_towers(workspace: Workspace, seed: int) -> None:
    """Write towers with other weights for every seed."""

    def body(folder: Path, report: Progress) -> dict[str, int]:
        return _towers(folder, np.random.default_rng(seed), workspace)

    run_stage(workspace, "models/two_tower", TwoTowerConfig(seed=seed), body, inputs=[preprocess.STAGE])


def make_ranker(workspace: Workspace, seed: int) -> None:
    """Write a ranker with other weights for every seed."""

    def body(folder: Path, report: Progress) -> dict[str, int]:
        random, catalogue = np.random.default_rng(seed), preprocess.load_catalogue(workspace)
        config = DlrmConfig(seed=seed, min_clicks=2)
        PairTables.of(preprocess.load_part(workspace, "train"), catalogue, config.min_clicks).save(folder)
        _network(random).save(folder / "network.npz")
        write_json(folder / "config.json", config.model_dump())
        catalogue.write_parquet(folder / "items.parquet")
        return {"seed": seed}

    inputs = [preprocess.STAGE, "models/two_tower"]
    run_stage(workspace, "models/dlrm", DlrmConfig(seed=seed, min_clicks=2), body, inputs=inputs)


def _clicks(random: np.random.Generator) -> pl.DataFrame:
    count = SESSIONS * CLICKS
    items = (ITEMS * random.random(count) ** 2).astype(np.int64) + FIRST_IDX
    return pl.DataFrame(
        {
            "session_id": np.repeat(np.arange(SESSIONS), CLICKS),
            "timestamp": [datetime(2026, 1, 1) + timedelta(minutes=n) for n in range(count)],
            "item_idx": items,
            "category_idx": items % CATEGORIES + FIRST_IDX,
        }
    )


def _data(folder: Path, clicks: pl.DataFrame, random: np.random.Generator) -> dict[str, int]:
    half = SESSIONS // 2 * CLICKS
    for part, share in (("train", clicks.head(half)), ("test", clicks.tail(half))):
        (folder / part).mkdir()
        share.write_parquet(folder / part / "part.parquet")
    keys = np.arange(ITEMS) + FIRST_IDX
    catalogue = pl.DataFrame(
        {
            "item_idx": keys,
            "item_id": [f"i{n}" for n in range(ITEMS)],
            "category_idx": keys % CATEGORIES + FIRST_IDX,
            "category": [f"kind {n % CATEGORIES}" for n in keys],
            "price": [None if n % 9 == 0 else float(n) for n in random.integers(5, 90, ITEMS)],
        }
    )
    counts = clicks.head(half).group_by("item_idx").len("train_clicks")
    catalogue.join(counts, on="item_idx", how="left", maintain_order="left").write_parquet(folder / "items.parquet")
    return {"items": ITEMS}


def _towers(folder: Path, random: np.random.Generator, workspace: Workspace) -> dict[str, int]:
    def tower() -> Tower:
        shapes = ((ITEMS + 3, DIM), (CATEGORIES + 3, DIM), (2 * DIM, 32), (32,), (32, DIM), (DIM,))
        return Tower(*(_weights(random, *shape) for shape in shapes))

    TwoTower(tower(), tower()).save(folder / TOWERS)
    preprocess.load_catalogue(workspace).write_parquet(folder / "items.parquet")
    return {"items": ITEMS}


def _network(random: np.random.Generator) -> DlrmNetwork:
    def layers(*sizes: int) -> tuple[Layer, ...]:
        return tuple((_weights(random, a, b), _weights(random, b)) for a, b in itertools.pairwise(sizes))

    sizes = dict(zip(CATEGORICAL, (CATEGORIES + 3, ITEMS + 3) * 2, strict=True))
    tables = tuple(_weights(random, sizes[name], DIM) for name in CATEGORICAL)
    pairs = len(CATEGORICAL) * (len(CATEGORICAL) + 1) // 2
    return DlrmNetwork(tables, layers(len(CONTINUOUS), DIM), layers(DIM + pairs, 16, 8), layers(8, 1)[0])


def _weights(random: np.random.Generator, *shape: int) -> Floats:
    return (random.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
