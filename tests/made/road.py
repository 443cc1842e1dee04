"""A small road without training: real stages over made-up clicks and random weights; Milvus is what is tested."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.columns import FIRST_IDX
from pipeline.core.progress import Progress
from pipeline.models.session.encoder import SessionEncoder
from pipeline.sessions.histories import MAX_HISTORY
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import embed

CATEGORIES = ("skirts", "trousers", 'o\'clock "é"')
_DIM = 16


@dataclass(frozen=True)
class Nothing:
    """A stage with nothing to choose."""


def make_road(workspace: Workspace, items: int = 300, sessions: int = 400, seed: int = 5) -> None:
    """Write 'data' and 'models/session', then embed: items i0, i1, …; sessions 0, 1, … of five clicks."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, len(CATEGORIES), items)
    catalogue = pl.DataFrame(
        {
            "item_idx": np.arange(items) + FIRST_IDX,
            "item_id": [f"i{n}" for n in range(items)],
            "category": [CATEGORIES[kind] for kind in kinds],
            "category_idx": kinds + FIRST_IDX,
            "price": random.integers(5, 100, items),
            "train_clicks": random.integers(0, 1000, items),
        }
    )

    def data(folder: Path, report: Progress) -> dict[str, int]:
        clicks = random.integers(0, items, 5 * sessions)
        table = pl.DataFrame(
            {
                "session_id": np.repeat(np.arange(sessions), 5),
                "item_idx": clicks + FIRST_IDX,
                "category_idx": kinds[clicks] + FIRST_IDX,
            }
        )
        for part, share in (("train", table.head(4 * sessions)), ("test", table.tail(sessions))):
            (folder / part).mkdir()
            share.write_parquet(folder / part / "part.parquet")
        return {"items": items}

    def model(folder: Path, report: Progress) -> dict[str, int]:
        catalogue.write_parquet(folder / "items.parquet")
        encoder(random, items).save(folder / "encoder.npz")
        return {"items": items}

    run_stage(workspace, "data", Nothing(), data, source=f"{items} {sessions} {seed}")
    run_stage(workspace, "models/session", Nothing(), model, inputs=["data"])
    embed(workspace, "session")


def encoder(random: np.random.Generator, items: int) -> SessionEncoder:
    """Draw an encoder's weights; its item vectors' lengths differ tenfold, which no approximate index likes."""

    def weights(*shape: int) -> Floats:
        return random.normal(size=shape).astype(np.float32)

    bent = np.maximum(weights(items, _DIM) @ weights(_DIM, _DIM) + weights(_DIM), 0)
    square, places = (_DIM, _DIM), (MAX_HISTORY, _DIM)
    return SessionEncoder(
        vectors=bent @ weights(_DIM, _DIM) + weights(_DIM),
        last=weights(*square),
        context=weights(*square),
        bias=weights(_DIM),
        hidden=weights(2 * _DIM, 2 * _DIM),
        out=weights(2 * _DIM, _DIM),
        query=weights(_DIM),
        key_last=weights(*square),
        key_click=weights(*square),
        key_position=weights(*places),
        position=weights(*places),
        recency=weights(MAX_HISTORY),
    )
