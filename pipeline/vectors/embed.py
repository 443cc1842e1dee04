"""Stage 'vectors/MODEL': a model's vectors of all items and of all sessions, as Parquet (id, vector)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats, Rows
from pipeline.core.checks import finite
from pipeline.core.columns import ID, ITEM_ID, VECTOR
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.models.contract import Encoder, KnowsSessions
from pipeline.models.registry import KINDS
from pipeline.sessions import preprocess
from pipeline.sessions.histories import whole_sessions
from pipeline.store.parquet import write_tables
from pipeline.store.stage import Done, Metrics, need, run_stage
from pipeline.store.workspace import Workspace
from pipeline.training.train import load_encoder, stage_name

Entity = Literal["items", "sessions"]
VECTORS = "vectors"  # the folder of stages
TRAINING = "training"  # in a Parquet file's metadata: the key of the training that made its vectors
ENTITIES: tuple[Entity, ...] = ("items", "sessions")


@dataclass(frozen=True)
class EmbedConfig:
    """Embedding has nothing to choose."""


def vectors_stage(model: str) -> str:
    """Name the stage that holds a model's vectors, or those imported under that name."""
    return f"{VECTORS}/{model}"


def way_to_vectors(model: str) -> str:
    """Say which command makes the vectors that are not there yet."""
    return f"run `embed --model {model}`." if model in KINDS else f"run `vectors import FILE --name {model}`."


def embed(workspace: Workspace, model: str, progress: Progress = silent) -> Done:
    """Write items.parquet and sessions.parquet (whole histories, training and test), each (id, vector)."""

    def body(folder: Path, report: Progress) -> Metrics:
        loaded, catalogue = load_encoder(workspace, model)
        write_vectors(folder / "items.parquet", catalogue[ITEM_ID], loaded.vectors)
        path = folder / "sessions.parquet"
        tables = (_table(path, *some).to_arrow() for some in _encoded(workspace, loaded, report))
        sessions = write_tables(path, tables)
        return {"items": catalogue.height, "sessions": sessions, "dim": loaded.vectors.shape[1]}

    return run_stage(
        workspace,
        vectors_stage(model),
        EmbedConfig(),
        body,
        inputs=[stage_name(model), preprocess.STAGE],
        progress=progress,
    )


def _encoded(workspace: Workspace, encoder: Encoder, report: Progress) -> Iterator[tuple[pl.Series, Floats]]:
    """Give (ids, vectors) of the training sessions, then of the test sessions, some hundred thousands at a time."""
    total, done = sum(preprocess.count_clicks(workspace, part) for part in preprocess.PARTS), 0
    for part in preprocess.PARTS:
        for clicks in preprocess.part_slices(workspace, part):
            report(done, total, "encoding sessions")
            ids, histories = whole_sessions(clicks)
            yield ids, encoder.encode_sessions(ids) if isinstance(encoder, KnowsSessions) else encoder.encode(histories)
            done += clicks.height


def write_vectors(path: Path, ids: pl.Series, vectors: Floats, training: str = "") -> None:
    """Write (id, vector) as Parquet; vectors: (n, dim) float32, or UserError where one is not finite.

    `training` is the key of the training that made them, where one did; the file tells it.
    """
    _table(path, ids, vectors).write_parquet(path, metadata={TRAINING: training} if training else None)


def _table(path: Path, ids: pl.Series, vectors: Floats) -> pl.DataFrame:
    """Lay out (id, vector) for a file; vectors: (n, dim) float32, or UserError where one is not finite."""
    _check(path, ids, vectors)
    return pl.DataFrame({ID: ids, VECTOR: pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))})


def load_vectors(workspace: Workspace, model: str, entity: Entity) -> tuple[pl.Series, Floats]:
    """Read (ids, vectors) of 'items' or 'sessions'; vectors: (n, dim) float32, or UserError where one is not finite."""
    path = _file(workspace, model, entity)
    return _plain(path, pl.read_parquet(path))


def count_vectors(workspace: Workspace, model: str, entity: Entity) -> int:
    """Count what `load_vectors` reads."""
    return int(pl.scan_parquet(_file(workspace, model, entity)).select(pl.len()).collect().item())


def load_rows(workspace: Workspace, model: str, entity: Entity, rows: Rows) -> tuple[pl.Series, Floats]:
    """Read (ids, vectors) as `load_vectors` does, of some rows alone, in their order."""
    path = _file(workspace, model, entity)
    wanted = pl.DataFrame({"row": rows}, schema={"row": pl.get_index_type()})
    found = pl.scan_parquet(path).with_row_index("row").join(wanted.lazy(), on="row", how="semi").collect()
    return _plain(path, wanted.join(found, on="row", how="left", maintain_order="left"))


def _file(workspace: Workspace, model: str, entity: Entity) -> Path:
    need(workspace, vectors_stage(model), way_to_vectors(model))
    if entity != "items" and model not in KINDS:
        raise UserError(f"'{model}' was imported from a file, which holds items and no {entity}: choose items.")
    return workspace.stage(vectors_stage(model)) / f"{entity}.parquet"


def _plain(path: Path, read: pl.DataFrame) -> tuple[pl.Series, Floats]:
    vectors = np.ascontiguousarray(read[VECTOR].to_numpy(), np.float32)
    _check(path, read[ID], vectors)
    return read[ID], vectors


def _check(path: Path, ids: pl.Series, vectors: Floats) -> None:
    """Refuse vectors that nothing is near or far of, before an index or a file has them."""
    if not finite(vectors):
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise UserError(
            f"The vector of '{ids[row]}' for {path.name} is not of finite numbers: train the model that makes it "
            "again, or import other vectors."
        )
