"""Merlin Models' two-tower retrieval, with a query tower that reads the session's clicks instead of its id."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.arrays import Ints
from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_IDX
from pipeline.core.options import Options
from pipeline.core.progress import Progress
from pipeline.metrics.ranking import ranking_figures
from pipeline.models.contract import BatchSize, Epochs, LearningRate, Seed, TrainingInput
from pipeline.models.merlin_fit import fit
from pipeline.models.tower import Tower, TwoTower
from pipeline.models.weights import agree, stay_finite
from pipeline.sessions.histories import Histories, hold_out, next_clicks

DIM = 64
LAYERS = [128, DIM]
TOWERS = "towers.npz"
TOLERANCE = 1e-3  # the exported weights against Merlin's own outputs, of vectors of length about 1 to 10
HISTORY_ITEM, HISTORY_CATEGORY = "history_item", "history_category"


class TwoTowerConfig(Options):
    """What can be chosen of the training; the architecture is the published one (MLP 128-64, in-batch negatives)."""

    epochs: Epochs = Field(
        default=6, description="Passes over the training clicks; the best by validation recall@20 is kept."
    )
    batch_size: BatchSize = Field(
        default=1024, description="Examples in a batch; the other examples' items are the negatives."
    )
    learning_rate: LearningRate = Field(default=0.003, description="Adam's step size.")
    seed: Seed = Field(default=42, description="Of the first weights and the shuffling.")


def train(given: TrainingInput[TwoTowerConfig]) -> dict[str, Any]:
    """Write the best epoch's towers to towers.npz, give the metrics."""
    folder, clicks, catalogue, config, progress = (
        given.folder,
        given.clicks,
        given.catalogue,
        given.options,
        given.progress,
    )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    progress(0, config.epochs, "loading TensorFlow and Merlin Models")
    import pyarrow.parquet as pq
    import tensorflow as tf

    tf.keras.utils.set_random_seed(config.seed)
    fitting, validation = hold_out(clicks)
    histories, items, categories = next_clicks(fitting)
    schema = _schema(int(catalogue[ITEM_IDX].max()) + 1, _categories(catalogue, clicks))  # type: ignore[arg-type]
    table = folder / "examples.parquet"
    pq.write_table(_table(histories, items, categories), table)
    model = _model(schema, config)
    compare = partial(_compare, model, histories=histories, items=items, categories=categories)
    listener = _Listener(model, catalogue, validation, config, len(items), progress, compare)
    fit(model, table, schema, config, listener)
    table.unlink()
    assert listener.best is not None  # an epoch has ended
    listener.best.save(folder / TOWERS)
    pl.from_dicts(listener.points, infer_schema_length=None).write_parquet(folder / "curve.parquet")
    return listener.summary()


def _categories(catalogue: pl.DataFrame, clicks: pl.DataFrame) -> int:
    return int(max(catalogue[CATEGORY_IDX].max(), clicks[CATEGORY_IDX].max())) + 1  # type: ignore[type-var, arg-type]


def _schema(items: int, categories: int) -> Any:
    """Describe the examples; a history's items and the target share a vocabulary, not a table."""
    from merlin.schema import ColumnSchema, Schema, Tags

    def column(name: str, size: int, domain: str, tags: list[Any], ragged: bool) -> Any:
        properties = {"domain": {"min": 0, "max": size - 1, "name": domain}}
        return ColumnSchema(
            name, [*tags, Tags.CATEGORICAL], properties, dtype=np.int64, is_list=ragged, is_ragged=ragged
        )

    return Schema(
        [
            column(HISTORY_ITEM, items, ITEM_IDX, [Tags.USER, Tags.SEQUENCE], True),
            column(HISTORY_CATEGORY, categories, CATEGORY_IDX, [Tags.USER, Tags.SEQUENCE], True),
            column(ITEM_IDX, items, ITEM_IDX, [Tags.ITEM_ID, Tags.ITEM], False),
            column(CATEGORY_IDX, categories, CATEGORY_IDX, [Tags.ITEM], False),
        ]
    )


def _table(histories: Histories, items: Ints, categories: Ints) -> Any:
    import pyarrow as pa

    rows, offsets = histories.ragged()
    starts = pa.array(offsets.astype(np.int32))
    return pa.table(
        {
            HISTORY_ITEM: pa.ListArray.from_arrays(starts, pa.array(histories.items[rows])),
            HISTORY_CATEGORY: pa.ListArray.from_arrays(starts, pa.array(histories.categories[rows])),
            ITEM_IDX: items,
            CATEGORY_IDX: categories,
        }
    )


def _model(schema: Any, config: TwoTowerConfig) -> Any:
    import merlin.models.tf as mm
    import tensorflow as tf
    from merlin.schema import Tags

    def tower(features: Any, name: str) -> Any:
        tables = mm.Embeddings(features, dim=DIM, sequence_combiner="mean")
        inputs = mm.InputBlockV2(features, categorical=tables)
        return mm.Encoder(inputs, mm.MLPBlock(LAYERS, no_activation_last_layer=True), name=name)

    query = tower(schema.select_by_tag(Tags.USER), "query")
    candidate = tower(schema.select_by_tag(Tags.ITEM), "candidate")
    model = mm.TwoTowerModelV2(query, candidate, negative_samplers=["in-batch"])
    optimizer = tf.keras.optimizers.Adam(config.learning_rate)
    model.compile(optimizer=optimizer, metrics=[mm.RecallAt(10), mm.NDCGAt(10)])
    return model


def exported_towers(model: Any) -> TwoTower:
    """Read the weights of both towers out of a Merlin model."""
    return TwoTower(_tower(model.query_encoder), _tower(model.candidate_encoder))


def _tower(encoder: Any) -> Tower:
    """Read one tower's weights: tables by their feature's domain, dense layers in order."""
    import merlin.models.tf as mm

    tables = {t.table_name: t.table.embeddings for t in encoder.submodules if isinstance(t, mm.EmbeddingTable)}
    dense = [w for w in encoder.trainable_weights if "embeddings" not in w.name]
    arrays = [w.numpy() for w in (tables[ITEM_IDX], tables[CATEGORY_IDX], *dense)]
    return Tower(*arrays)


def _compare(model: Any, towers: TwoTower, histories: Histories, items: Ints, categories: Ints) -> None:
    """Hold the exported weights against Merlin's own outputs on some examples; a difference is a defect."""
    import tensorflow as tf

    some = slice(0, 512)
    few = histories.take(some)
    rows, offsets = few.ragged()
    ragged = {
        name: tf.RaggedTensor.from_row_splits(values[rows], offsets)
        for name, values in ((HISTORY_ITEM, few.items), (HISTORY_CATEGORY, few.categories))
    }
    flat = {name: tf.constant(v[some][:, None]) for name, v in ((ITEM_IDX, items), (CATEGORY_IDX, categories))}
    query = np.abs(model.query_encoder(ragged).numpy() - towers.query.histories(few)).max()
    item = np.abs(model.candidate_encoder(flat).numpy() - towers.candidate.items(items[some], categories[some])).max()
    agree("the exported towers differ from Merlin's outputs", (query, item), TOLERANCE)


class _Listener:
    """Stream loss and recall out of the training, and keep the towers of the best epoch."""

    def __init__(
        self,
        model: Any,
        catalogue: pl.DataFrame,
        validation: pl.DataFrame,
        config: TwoTowerConfig,
        examples: int,
        progress: Progress,
        compare: Callable[[TwoTower], None],
    ) -> None:
        self.model, self.config, self.progress, self.compare = model, config, progress, compare
        self.steps = -(-examples // config.batch_size)
        self.items = catalogue[ITEM_IDX].to_numpy(), catalogue[CATEGORY_IDX].to_numpy()
        histories, targets, _ = next_clicks(validation)
        self.validation = histories, np.where(targets >= FIRST_IDX, targets - FIRST_IDX, -1)
        self.points: list[dict[str, float]] = []
        self.epochs: list[dict[str, float]] = []
        self.best: TwoTower | None = None
        self.best_recall = -1.0
        self.done = 0
        self.logs: dict[str, float] = {}
        self.notes: list[str] = []

    def batch(self, batch: int, logs: dict[str, float]) -> None:
        """Report after every batch; keep a point of the curve every tenth of an epoch or so."""
        self.done += 1
        self.logs = logs
        text = f"epoch {len(self.epochs) + 1} of {self.config.epochs} · loss {logs['loss']:.3f}"
        point = None
        if self.done % max(1, self.steps // 12) == 0:
            point = {"step": self.done, "loss": float(logs["loss_batch"]), "recall@10": float(logs["recall_at_10"])}
            self.points.append({"step": self.done, "loss": point["loss"], "recall@10": point["recall@10"]})
        self.progress(self.done, self.steps * self.config.epochs, text, point)

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Rank the held-out sessions' next clicks over the whole catalogue, and keep the best towers so far."""
        towers = exported_towers(self.model)
        stay_finite(towers)
        recall = self._validate(towers)
        self.epochs.append({"epoch": epoch + 1, "loss": float(logs["loss"]), "validation_recall@20": recall})
        if recall > self.best_recall:
            self.compare(towers)
            self.best, self.best_recall = towers, recall
        self.points.append({"step": self.done, "validation_recall@20": recall})
        self.progress(
            self.done,
            self.steps * self.config.epochs,
            f"epoch {epoch + 1}: validation recall@20 {recall:.3f}",
            {"step": self.done, "validation_recall@20": recall},
        )

    def stop(self) -> None:
        """Keep the best so far: of a first epoch that was cut off, the towers as they are."""
        self.notes.append(f"stopped early, in epoch {len(self.epochs) + 1}; the best before it was kept")
        if self.best is None:
            self.epoch(0, self.logs)

    def _validate(self, towers: TwoTower) -> float:
        vectors = towers.candidate.items(*self.items)
        histories, targets = self.validation
        found = ranking_figures(
            lambda rows: towers.query.histories(histories.take(rows)) @ vectors.T, targets, len(vectors)
        )
        return found["recall@20"]

    def summary(self) -> dict[str, Any]:
        """Give the last loss, the best epoch, its validation recall@20, and every epoch's figures."""
        best = max(self.epochs, key=lambda e: e["validation_recall@20"])
        return {
            "loss": self.epochs[-1]["loss"],
            "best_epoch": best["epoch"],
            "validation_recall@20": self.best_recall,
            "steps": self.done,
            "epochs": self.epochs,
        } | ({"note": "; ".join(self.notes)} if self.notes else {})
