"""Stage 'indexes/NAME': vectors -> a collection with an index in Milvus. Several may stand side by side."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.embed import ENTITIES, Entity, load_vectors, vectors_stage
from pipeline.errors import UserError
from pipeline.names import CATEGORY, ITEM_ID, ITEM_IDX, SESSION_ID
from pipeline.progress import Progress, silent
from pipeline.stage import Done, Metrics, is_stale, need, run_stage
from pipeline.text import did_you_mean
from pipeline.train import stage_name
from pipeline.vectors.catalogue import MIN_INDEXED_ROWS, index_type
from pipeline.vectors.engine import Column, Engine
from pipeline.vectors.params import parse_params, validate_build
from pipeline.workspace import Workspace

METRIC = "IP"  # the models score by dot product, so Milvus ranks as they do


@dataclass(frozen=True)
class IndexConfig:
    """Which vectors to index, and how."""

    vectors: Entity = "items"
    """Items or sessions."""
    model: str = "two_tower"
    """The model whose vectors they are."""
    index: str = "HNSW"
    """A type from the catalogue (`index types`)."""
    params: str = ""
    """Build parameters, e.g. 'M=16,efConstruction=200'; what is not named has its default."""
    server: str = "embedded"
    """Where it is built; the same index on another server is another index."""

    def __post_init__(self) -> None:
        if self.vectors not in ENTITIES:
            raise UserError(f"There are no vectors of '{self.vectors}': choose {' or '.join(ENTITIES)}.")

    @property
    def name(self) -> str:
        """Name the index as the command line and the pages do."""
        return f"{self.vectors}-{self.model}-{self.index.lower()}"


def index_stage(name: str) -> str:
    """Name the stage that holds what is known of an index."""
    return f"indexes/{name}"


def build_index(workspace: Workspace, config: IndexConfig, engine: Engine, progress: Progress = silent) -> Done:
    """Insert the vectors into a new collection, index it, and let it take the old one's place when it is ready."""
    need(workspace, vectors_stage(config.model), f"run `embed --model {config.model}`.")
    stage = index_stage(config.name)
    before = workspace.manifest(stage)
    lost = before is not None and before["metrics"]["collection"] not in engine.collections()

    def body(folder: Path, report: Progress) -> Metrics:
        ids, vectors = load_vectors(workspace, config.model, config.vectors)
        params = validate_build(index_type(config.index), parse_params(config.params), vectors.shape[1], len(ids))
        collection = f"{workspace.prefix}{config.name.replace('-', '_')}_{folder.name[-12:]}"
        try:
            metrics = _fill(engine, collection, _table(workspace, config, ids), vectors, config.index, params, report)
        except BaseException:
            engine.drop(collection)
            raise
        return metrics | {"collection": collection, "params": params, "dim": vectors.shape[1], "metric": METRIC}

    done = run_stage(
        workspace, stage, config, body, inputs=[vectors_stage(config.model)], progress=progress, force=lost
    )
    _drop_unreferenced(workspace, engine)
    return done


def _fill(
    engine: Engine,
    collection: str,
    table: pl.DataFrame,
    vectors: Any,
    index: str,
    params: dict[str, Any],
    report: Progress,
) -> Metrics:
    scalars: dict[str, Column] = {name: table[name].to_list() for name in table.columns if name != "key"}
    report(0, 3, f"inserting {len(vectors):,} vectors")
    engine.create(collection, vectors.shape[1], METRIC, dict.fromkeys(scalars, "text"))
    engine.insert(collection, table["key"].to_numpy(), vectors, scalars)
    report(1, 3, f"building {index}")
    built = engine.build(collection, index, params, METRIC)
    report(2, 3, "loading")
    engine.load(collection)
    brute = len(vectors) < MIN_INDEXED_ROWS
    note = f"searched by brute force: Milvus builds no index under about {MIN_INDEXED_ROWS:,} rows" if brute else ""
    return {
        "rows": built.rows,
        "indexed_rows": built.indexed_rows,
        "state": built.state,
        "build_s": built.seconds,
        "note": note,
    }


def _table(workspace: Workspace, config: IndexConfig, ids: pl.Series) -> pl.DataFrame:
    """Give each vector an int64 key: an item's item_idx, a session's row."""
    if config.vectors == "sessions":
        return pl.DataFrame({"key": np.arange(len(ids)), SESSION_ID: ids.cast(pl.String)})
    catalogue = pl.read_parquet(workspace.stage(stage_name(config.model)) / "items.parquet")
    return catalogue.select(pl.col(ITEM_IDX).alias("key"), pl.col(ITEM_ID).cast(pl.String), CATEGORY)


def _drop_unreferenced(workspace: Workspace, engine: Engine) -> None:
    """Drop this workspace's collections that no manifest names: replaced ones, and what a kill left."""
    kept = {entry["collection"] for entry in list_indexes(workspace)}
    for name in engine.collections():
        if name.startswith(workspace.prefix) and name not in kept:
            engine.drop(name)


def list_indexes(workspace: Workspace) -> list[dict[str, Any]]:
    """List what is built, newest first, as manifests tell it; no server is asked."""
    manifests = {name: workspace.manifest(name) for name in workspace.stages("indexes")}
    rows = [
        {
            "name": name.split("/")[-1],
            **{k: m["config"][k] for k in ("vectors", "model", "index", "server")},
            **m["metrics"],
            "created": m["created"],
            "seconds": m["seconds"],
            "stale": is_stale(workspace, name),
        }
        for name, m in manifests.items()
        if m is not None
    ]
    return sorted(rows, key=lambda row: row["created"], reverse=True)


def find_index(workspace: Workspace, name: str) -> dict[str, Any]:
    """Find a built index by its name, or raise UserError."""
    built = {row["name"]: row for row in list_indexes(workspace)}
    if name not in built:
        known = ", ".join(built) or "none yet; make one with `index build`"
        raise UserError(f"There is no index '{name}': built are {known}.{did_you_mean(name, built)}")
    return built[name]


def load_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Load an index into the server's memory, so that it answers."""
    engine.load(find_index(workspace, name)["collection"])


def release_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Take an index out of the server's memory; it stays on disk."""
    engine.release(find_index(workspace, name)["collection"])


def drop_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Remove an index and its collection for good."""
    collection = find_index(workspace, name)["collection"]
    workspace.remove(index_stage(name))
    engine.drop(collection)
