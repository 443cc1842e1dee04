"""Stage 'indexes/NAME': vectors -> a collection with an index in Milvus. Several may stand side by side."""

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
import polars as pl
from pydantic import Field, field_validator, model_validator

from pipeline.core.arrays import Floats
from pipeline.core.columns import CATEGORY, DEFAULT_MODEL, ITEM_ID, ITEM_IDX, POPULARITY, PRICE, SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.indexes import work
from pipeline.indexes.filters import UNKNOWN
from pipeline.indexes.known import keep_training
from pipeline.indexes.registry import drop_unreferenced, index_stage, keep_serving, rename
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import Pieces
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import MIN_INDEXED_ROWS, index_type
from pipeline.search.compatibility import EMBEDDED, ServerFacts, why_not
from pipeline.search.embedded import abandoned
from pipeline.search.engine import Column, Engine, Scalar
from pipeline.search.measure import quality
from pipeline.search.params import parse_params, validate_build
from pipeline.search.usable import usable_vectors
from pipeline.store.stage import Done, Metrics, need, run_stage
from pipeline.store.workspace import Workspace
from pipeline.training.history import MODEL
from pipeline.vectors.embed import (
    ENTITIES,
    Entity,
    count_vectors,
    load_rows,
    load_vectors,
    vectors_stage,
    way_to_vectors,
)

_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
QUERIES = 200  # that recall is measured with


class IndexConfig(Options):
    """Which vectors to index, how, and where."""

    vectors: Entity = Field(default="items", description="Items or sessions.")
    model: str = Field(
        default=DEFAULT_MODEL,
        description="The model whose vectors they are, or the name of vectors that were imported from a file.",
    )
    index: str = Field(default="HNSW", description="A type from the catalogue (`index types`).")
    params: str = Field(
        default="",
        description="Build parameters, e.g. 'M=16,efConstruction=200'; what is not named has its default.",
    )
    server: str = Field(
        default=EMBEDDED.name,
        description="Where it is built; the same index on another server is another index.",
    )
    metric: str = Field(
        default="IP",
        description="IP, L2 or COSINE; the models score by dot product, so Milvus ranks as they do.",
    )
    label: str = Field(default="", description="Is part of the name, so that two of a type stand side by side.")

    @field_validator("vectors", mode="before")
    @classmethod
    def _are_there(cls, vectors: Any) -> Any:
        if vectors not in ENTITIES:
            raise UserError(f"There are no vectors of '{vectors}': choose {' or '.join(ENTITIES)}.")
        return vectors

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.metric not in (allowed := index_type(self.index).metrics):
            raise UserError(f"{self.index} has no metric '{self.metric}': choose {', '.join(allowed)}.")
        if self.label and not _LABEL.fullmatch(self.label):
            raise UserError(f"The label '{self.label}' is not up to 30 of a to z, 0 to 9 and hyphens: choose another.")
        return self

    @property
    def name(self) -> str:
        """Name the index as the command line and the pages do; what differs in `identity` differs in name.

        Before the @ only the label may have hyphens; after it stands the server: its name, or a URI's host and digest.
        """
        parts = [self.vectors, self.model, self.index.lower(), self.label]
        return "-".join(filter(None, parts)) + _at(self.server)

    @property
    def earlier_name(self) -> str:
        """Give the name under which versions before kept it: a server's and a label could not be told apart."""
        where = "" if self.server == EMBEDDED.name or "://" in self.server else self.server
        return "-".join(filter(None, [self.vectors, self.model, self.index.lower(), where, self.label]))


def _at(server: str) -> str:
    if server == EMBEDDED.name:
        return ""
    if "://" not in server:
        return f"@{server}"
    host = re.sub("[^a-z0-9.]", "_", urlsplit(server).hostname or "")[:40]
    return f"@{host}~{hashlib.sha256(server.encode()).hexdigest()[:12]}"


def identity(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Give what makes an index another one than one that stands beside it, of a config or of a manifest's."""
    return tuple(str(config.get(field, "")) for field in ("vectors", "model", "index", "server", "label"))


def index_name(workspace: Workspace, config: IndexConfig) -> str:
    """Give the name that an index has here: its own, or the one under which an earlier version built it."""
    for name in (config.name, config.earlier_name):
        manifest = workspace.manifest(index_stage(name))
        if manifest is not None and identity(manifest["config"]) == identity(config.model_dump()):
            return name
    return config.name


def free_name(workspace: Workspace, config: IndexConfig) -> str:
    """Give the name to build an index under; another that an earlier version built under it takes its own name."""
    name = index_name(workspace, config)
    manifest = workspace.manifest(index_stage(name))
    if manifest is not None and identity(manifest["config"]) != identity(config.model_dump()):
        rename(workspace, name, IndexConfig(**manifest["config"]).name)
    return name


def build_index(
    workspace: Workspace,
    config: IndexConfig,
    engine: Engine,
    progress: Progress = silent,
    facts: ServerFacts = EMBEDDED,
) -> Done:
    """Insert the vectors into a new collection, index it, and let it take the old one's place when it is ready."""
    need(workspace, vectors_stage(config.model), way_to_vectors(config.model))
    if reason := why_not(index_type(config.index), facts):
        raise UserError(reason)
    name = free_name(workspace, config)
    if config.vectors == "items":
        keep_serving(workspace, config.model)
    stage = index_stage(name)
    before = workspace.manifest(stage)
    lost = before is not None and before["metrics"]["collection"] not in engine.collections()

    def body(folder: Path, report: Progress) -> Metrics:
        collection = workspace.prefix + re.sub(r"\W", "_", f"{name}_{folder.name[-12:]}", flags=re.ASCII)
        try:
            training = keep_training(workspace, config.model, folder) if config.model in KINDS else None
            return {"training": training, **_fill(workspace, config, engine, collection, folder, report)}
        except BaseException:
            engine.drop(collection)
            raise

    inputs = [vectors_stage(config.model)]
    done = run_stage(workspace, stage, config, body, inputs=inputs, revision=3, progress=progress, force=lost)
    drop_unreferenced(workspace, engine)
    return done


def _fill(
    workspace: Workspace, config: IndexConfig, engine: Engine, collection: str, folder: Path, report: Progress
) -> Metrics:
    """Insert, build, load, measure; give what the index's manifest shall say."""
    ids, vectors = load_vectors(workspace, config.model, config.vectors)
    usable_vectors(f"The {config.vectors} of '{config.model}'", vectors, config.metric, ids)
    index = index_type(config.index)
    params = validate_build(index, parse_params(config.params), vectors.shape[1], len(ids))
    table = _table(config, ids, folder)
    columns = {name: _column(table[name]) for name in table.columns if name != "key"}
    keys = table["key"].to_numpy()
    on_ours = config.server == EMBEDDED.name
    rows, dim = vectors.shape
    filling, building, loading, comparing = work.of_build(index, params, rows, dim, on_ours)
    if behind := len(abandoned.going_on(workspace)) if on_ours else 0:
        building = replace(building, kind="build behind others")  # it is no measure of its type
    pieces = Pieces([filling, building, loading, comparing], Past(workspace), report)
    with pieces.doing(filling, f"inserting {len(vectors):,} vectors"):
        engine.create(collection, vectors.shape[1], config.metric, {n: _scalar(table[n]) for n in columns})
        engine.insert(collection, keys, vectors, columns, lambda *_: pieces.say("inserting vectors"))
    expected = building.expected_s(pieces.past)
    with (
        abandoned.leaving(workspace, on_ours, config.name, config.index, len(ids), expected),
        pieces.doing(building, f"building {config.index}", work.cpu_of(workspace) if on_ours and not behind else None),
    ):
        built = engine.build(collection, config.index, params, config.metric, _told(pieces, behind))
    begin = time.monotonic()
    with pieces.doing(loading, "loading"):
        engine.load(collection, _told(pieces, 0))
    load_s = round(time.monotonic() - begin, 3)
    with pieces.doing(comparing, "comparing with the exact search"):
        _, asked = queries(workspace, config.model, config.vectors, ids, vectors)
        found = quality(engine, collection, keys, vectors, asked, index, params, config.metric)
    searched = "searched by brute force" if on_ours else "searched by brute force, or by an index of the server's own"
    few = len(vectors) < MIN_INDEXED_ROWS
    note = f"{searched}: Milvus builds no index under about {MIN_INDEXED_ROWS:,} rows" if few else ""
    return {
        "rows": built.rows,
        "indexed_rows": built.indexed_rows,
        "state": built.state,
        "build_s": built.seconds,
        "load_s": load_s,
        **found,
        "note": note,
        "collection": collection,
        "params": params,
        "dim": vectors.shape[1],
        "metric": config.metric,
        "columns": list(columns),
        "unknown": {name: value for name, value in UNKNOWN.items() if name in columns},
        "next_key": int(keys.max()) + 1,  # rows that come later have keys from here on
    }


def _told(pieces: Pieces, behind: int) -> Progress:
    """Report a build under way; how many cancelled ones it waits `behind`, until the server tells of rows."""
    waits = f", waits behind {behind} cancelled build{'s' * (behind > 1)}" if behind else ""

    def say(done: float, total: float, text: str = "", point: Any = None) -> None:
        pieces.say(f"{text}{'' if done else waits}")

    return say


def queries(
    workspace: Workspace, model: str, entity: Entity, ids: pl.Series, vectors: Floats
) -> tuple[pl.Series, Floats]:
    """Choose what recall is measured with, (ids, vectors): what an index of these `vectors` will be asked for."""
    sessions = model in KINDS and entity == "items"
    count = count_vectors(workspace, model, "sessions") if sessions else len(vectors)
    chosen = np.random.default_rng(0).permutation(count)[:QUERIES]
    return load_rows(workspace, model, "sessions", chosen) if sessions else (ids.gather(chosen), vectors[chosen])


def _table(config: IndexConfig, ids: pl.Series, folder: Path) -> pl.DataFrame:
    """Give each vector an int64 key – an item's item_idx, else its row – and the columns to filter by."""
    if config.model not in KINDS or config.vectors == "sessions":
        name = SESSION_ID if config.model in KINDS else "source_id"
        return pl.DataFrame({"key": np.arange(len(ids)), name: ids.cast(pl.String)})
    items = pl.read_parquet(folder / MODEL / "items.parquet")
    price = pl.col(PRICE).cast(pl.Float64).fill_nan(None).fill_null(UNKNOWN[PRICE])
    priced = [price] if _is_number(items, PRICE) else []
    counted = pl.col("train_clicks").fill_null(0).cast(pl.Int64).alias(POPULARITY)
    category = pl.col(CATEGORY).fill_null(UNKNOWN[CATEGORY])
    return items.select(pl.col(ITEM_IDX).alias("key"), pl.col(ITEM_ID).cast(pl.String), category, counted, *priced)


def _is_number(items: pl.DataFrame, column: str) -> bool:
    return column in items.columns and items[column].dtype.is_numeric()


def _scalar(values: pl.Series) -> Scalar:
    return "int" if values.dtype.is_integer() else "float" if values.dtype.is_float() else "text"


def _column(values: pl.Series) -> Column:
    return values.to_numpy() if values.dtype.is_numeric() else values.to_list()
