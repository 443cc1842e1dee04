"""Train Merlin Models' DLRM with negatives: without any, as published, it learns that everything is clicked."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.arrays import Flags, Floats, Ints, Numbers
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress
from pipeline.metrics.ranking import Ranked, rank
from pipeline.models.contract import Model, TrainingInput
from pipeline.models.dlrm.model import DlrmConfig
from pipeline.models.dlrm.network import DlrmNetwork
from pipeline.models.dlrm.pairs import CATEGORICAL, CONTINUOUS, PairTables, retrieve
from pipeline.models.merlin_fit import fit
from pipeline.models.weights import agree, stay_finite
from pipeline.sessions.histories import hold_out, next_clicks
from pipeline.store.stage import Metrics
from pipeline.store.workspace import write_json

DIM, BOTTOM, TOP = 64, [128, 64], [128, 64, 32]  # as published
TARGET = "clicked"
TOLERANCE = 1e-3  # the exported weights' logits against Merlin's own
_JUDGED = 0.2  # of the held-out sessions, the last to end: they choose the epoch
_CURVE = ("recall@20", "mrr@20", "ndcg@20")


def train(given: TrainingInput[DlrmConfig]) -> Metrics:
    """Fit on the sessions that the retrieval model was not fitted on, keep the best epoch; give AUC, NDCG and MRR.

    On sessions that retrieval has learned, it looks better than it is, and the ranker would trust it too much.
    """
    folder, clicks, catalogue, config = given.folder, given.clicks, given.catalogue, given.options
    progress, retrieval = given.progress, given.retrieval
    assert retrieval is not None  # a ranker's always is
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    progress(0, config.epochs, "retrieving candidates")
    earlier, held = hold_out(clicks)
    fitting, judging = hold_out(held, _JUDGED)
    features = PairTables.of(earlier, catalogue, config.min_clicks)
    judge = Judge.of(retrieval, features, judging, config)
    table = training_pairs(retrieval, features, fitting, catalogue, config)
    progress(0, config.epochs, "loading TensorFlow and Merlin Models")
    import tensorflow as tf

    tf.keras.utils.set_random_seed(config.seed)
    table.write_parquet(folder / "pairs.parquet")
    schema = _schema(features)
    model, tables = _model(schema, config)
    compare = partial(_compare, model, table=table[:512])
    listener = _Listener(model, tables, judge, config, -(-table.height // config.batch_size), progress, compare)
    fit(model, folder / "pairs.parquet", schema, config, listener)
    (folder / "pairs.parquet").unlink()
    if listener.best is not None:
        listener.best.save(folder / "network.npz")
    PairTables.of(clicks, catalogue, config.min_clicks).save(folder)
    write_json(folder / "config.json", config.model_dump())
    pl.from_dicts(listener.points, infer_schema_length=None).write_parquet(folder / "curve.parquet")
    return listener.summary() | {"pairs": table.height}


def training_pairs(
    retrieval: Model, features: PairTables, clicks: pl.DataFrame, catalogue: pl.DataFrame, config: DlrmConfig
) -> pl.DataFrame:
    """Pair each next click that was retrieved, and its negatives, with its session; in random order."""
    random = np.random.default_rng(config.seed)
    histories, targets = _examples(clicks)
    others = _others(random, targets, catalogue["train_clicks"].fill_null(0).to_numpy(), config)
    found = retrieve(retrieval, histories, config.candidates, others)
    width = found.items.shape[1] - others.shape[1]
    hit = (found.items[:, :width] == targets[:, None]) & (targets >= 0)[:, None]
    rows = np.flatnonzero(hit.any(axis=1))
    if not len(rows):
        raise UserError(
            f"{config.retrieval} retrieves no next click of {len(targets):,} among {config.candidates} candidates, so "
            "there is nothing to rank: train it longer, or choose another model with --set retrieval=NAME."
        )
    place = hit[rows].argmax(axis=1)[:, None]
    drawn = random.integers(max(width - 1, 1), size=(len(rows), config.retrieved))
    extra = np.broadcast_to(np.arange(width, found.items.shape[1]), (len(rows), others.shape[1]))
    chosen = found.take(rows, np.hstack([place, drawn + (drawn >= place), extra]))
    clicked = np.broadcast_to(np.arange(chosen.items.shape[1]) == 0, chosen.items.shape)
    kept = (chosen.items >= 0) & (clicked | (chosen.items != targets[rows][:, None]))  # the next click is no negative
    some = histories.take(rows)
    codes, values = features.categorical(some, chosen)[kept], features.continuous(some, chosen)[kept]
    columns = dict(zip(CATEGORICAL, codes.T, strict=True)) | dict(zip(CONTINUOUS, values.T, strict=True))
    return pl.DataFrame(columns | {TARGET: clicked[kept].astype(np.int64)})[random.permutation(int(kept.sum()))]


def _examples(clicks: pl.DataFrame) -> tuple[Any, Ints]:
    histories, items, _ = next_clicks(clicks)
    return histories, np.where(items >= FIRST_IDX, items - FIRST_IDX, -1)


def _others(random: np.random.Generator, targets: Ints, clicks: Ints, config: DlrmConfig) -> Ints:
    """Draw negatives by popularity, and among the next clicks of other examples, to (n, popular + in_batch)."""
    popular = random.choice(len(clicks), (len(targets), config.popular), p=clicks / clicks.sum())
    known = targets[targets >= 0] if (targets >= 0).any() else np.zeros(1, np.int64)
    return np.hstack([popular, known[random.integers(len(known), size=(len(targets), config.in_batch))]])


@dataclass(frozen=True)
class Judge:
    """Candidates of held-out sessions, to rank after every epoch."""

    codes: Ints  # (n, k, categorical)
    values: Floats  # (n, k, continuous)
    hit: Flags  # (n, k) where the next click is
    there: Flags  # (n, k) where a candidate is

    @staticmethod
    def of(retrieval: Model, features: PairTables, clicks: pl.DataFrame, config: DlrmConfig) -> "Judge":
        """Retrieve for each next click of `clicks`."""
        histories, targets = _examples(clicks)
        found = retrieve(retrieval, histories, config.candidates)
        there = found.items >= 0
        hit = there & (found.items == targets[:, None])
        return Judge(features.categorical(histories, found), features.continuous(histories, found), hit, there)

    def figures(self, network: DlrmNetwork) -> dict[str, Any]:
        """Rank the candidates: recall@20, mrr@20 and ndcg@20 end to end, and auc of next clicks against the others."""
        flat = network.logits(self.codes.reshape(-1, len(CATEGORICAL)), self.values.reshape(-1, len(CONTINUOUS)))
        logits = np.where(self.there, flat.reshape(self.hit.shape), -np.inf)
        return self._figures(logits) | {"auc": auc(self.hit[self.there], logits[self.there])}

    def retrieval(self) -> dict[str, float]:
        """Give the same figures of retrieval's own order."""
        return self._figures(np.broadcast_to(-np.arange(self.hit.shape[1]), self.hit.shape))

    def _figures(self, order: Numbers) -> dict[str, float]:
        ranks = rank(order, np.where(self.hit.any(axis=1), self.hit.argmax(axis=1), -1))
        figures = Ranked(ranks, np.zeros(len(ranks), np.float32), 0.0).figures()
        return {name: figures[name] for name in _CURVE}


def auc(positive: Flags, scores: Floats) -> float | None:
    """Give the chance that a positive is scored above a negative, half of it for a tie.

    None where either is missing, or where a score is not a number.
    """
    from scipy.stats import rankdata

    count = int(positive.sum())
    if not 0 < count < len(positive) or np.isnan(scores).any():
        return None
    above = rankdata(scores)[positive].sum() - count * (count + 1) / 2
    return round(float(above / (count * (len(positive) - count))), 6)


def _schema(features: PairTables) -> Any:
    from merlin.schema import ColumnSchema, Schema, Tags

    items, categories = len(features.popularity) + FIRST_IDX, int(features.categories.max()) + 1
    sizes = {name: items if "item" in name else categories for name in CATEGORICAL}
    codes = [
        ColumnSchema(name, [Tags.CATEGORICAL], {"domain": {"min": 0, "max": size - 1, "name": name}}, dtype=np.int64)
        for name, size in sizes.items()
    ]
    values = [ColumnSchema(name, [Tags.CONTINUOUS], dtype=np.float32) for name in CONTINUOUS]
    return Schema([*codes, *values, ColumnSchema(TARGET, [Tags.BINARY_CLASSIFICATION, Tags.TARGET], dtype=np.int64)])


def _model(schema: Any, config: DlrmConfig) -> tuple[Any, Any]:
    """Build the DLRM; give it and its embeddings."""
    import merlin.models.tf as mm
    import tensorflow as tf
    from merlin.schema import Tags

    tables = mm.Embeddings(schema.select_by_tag(Tags.CATEGORICAL), dim=DIM)
    model = mm.DLRMModel(
        schema,
        embeddings=tables,
        bottom_block=mm.MLPBlock(BOTTOM),
        top_block=mm.MLPBlock(TOP),
        prediction_tasks=mm.BinaryOutput(TARGET),
    )
    model.compile(optimizer=tf.keras.optimizers.Adam(config.learning_rate), metrics=[tf.keras.metrics.AUC(name="auc")])
    return model, tables


def exported_ranker(model: Any, tables: Any) -> DlrmNetwork:
    """Read the weights out of a Merlin model: tables by feature, dense layers in order."""
    embeddings = tuple(tables.parallel_layers[name].table.embeddings.numpy() for name in CATEGORICAL)
    dense = [w.numpy() for w in model.trainable_weights if "embeddings" not in w.name]
    layers = tuple(zip(dense[::2], dense[1::2], strict=True))
    return DlrmNetwork(embeddings, layers[: len(BOTTOM)], layers[len(BOTTOM) : -1], layers[-1])


def _compare(model: Any, network: DlrmNetwork, table: pl.DataFrame) -> None:
    """Hold the exported weights against Merlin's own outputs on some pairs; a difference is a defect."""
    import tensorflow as tf

    inputs = {name: tf.constant(table[name].to_numpy()[:, None]) for name in (*CATEGORICAL, *CONTINUOUS)}
    clicked = np.clip(model(inputs).numpy()[:, 0].astype(np.float64), 1e-7, 1 - 1e-7)
    logits = network.logits(table.select(CATEGORICAL).to_numpy(), table.select(CONTINUOUS).to_numpy())
    apart = float(np.abs(clicked - 1 / (1 + np.exp(-logits.astype(np.float64)))).max())
    agree("the exported network differs from Merlin's outputs", (apart,), TOLERANCE)


class _Listener:
    """Stream loss and MRR out of the training, and keep the weights of the best epoch."""

    def __init__(
        self, model: Any, tables: Any, judge: Judge, config: DlrmConfig, steps: int, progress: Progress,
        compare: Callable[[DlrmNetwork], None],
    ) -> None:  # fmt: skip
        self.model, self.tables, self.judge, self.config = model, tables, judge, config
        self.steps, self.progress, self.compare = steps, progress, compare
        self.points: list[dict[str, float]] = []
        self.epochs: list[dict[str, Any]] = []
        self.best: DlrmNetwork | None = None
        self.best_epoch = 0
        self.retrieval = judge.retrieval()
        self.done = 0
        self.logs: dict[str, float] = {}
        self.notes: list[str] = []

    def batch(self, batch: int, logs: dict[str, float]) -> None:
        """Report after every batch; keep a point of the curve every tenth of an epoch or so."""
        self.done += 1
        self.logs = logs
        point = None
        if self.done % max(1, self.steps // 12) == 0:
            point = {"step": self.done, "loss": float(logs["loss_batch"])}
            self.points.append(point)
        text = f"epoch {len(self.epochs) + 1} of {self.config.epochs} · loss {logs['loss']:.3f}"
        self.progress(self.done, self.steps * self.config.epochs, text, point)

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Rank the held-out sessions' candidates, and keep the best weights so far."""
        network = exported_ranker(self.model, self.tables)
        stay_finite(network)
        found = self.judge.figures(network)
        if self._is_best(found):
            self.compare(network)
            self.best, self.best_epoch = network, len(self.epochs) + 1
        self.epochs.append({"epoch": epoch + 1, "loss": float(logs["loss"]), "train_auc": float(logs["auc"]), **found})
        point = {"step": self.done, "validation_recall@20": found["recall@20"]}
        self.points.append(point)
        text = f"epoch {epoch + 1}: MRR@20 {found['mrr@20']:.3f}"
        text += "" if found["auc"] is None else f", AUC {found['auc']:.3f}"
        self.progress(self.done, self.steps * self.config.epochs, text, point)

    def _is_best(self, found: dict[str, Any]) -> bool:
        """Tell whether an epoch is the best yet; one that is worse than retrieval in recall or MRR is none.

        What is trained on clicks alone, as published, stays what it is: a lesson.
        """
        worse = any(found[name] < self.retrieval[name] for name in ("recall@20", "mrr@20"))
        if worse and self.config.has_negatives:
            return False
        return self.best_epoch == 0 or found["mrr@20"] > self.epochs[self.best_epoch - 1]["mrr@20"]

    def stop(self) -> None:
        """Keep the best so far; a first epoch that was cut off is judged as it is."""
        self.notes.append(f"stopped early, in epoch {len(self.epochs) + 1}; the best before it was kept")
        if not self.epochs:
            self.epoch(0, self.logs)

    def summary(self) -> Metrics:
        """Give the best epoch's figures on held-out sessions, retrieval's own beside them, and every epoch's."""
        kept = self.epochs[self.best_epoch - 1] if self.best_epoch else self.retrieval
        why = f"no pass ordered held-out sessions' items as well as {self.config.retrieval} does: its order is kept"
        notes = self.notes if self.best_epoch else [*self.notes, why]
        return {
            "loss": self.epochs[-1]["loss"],
            "best_epoch": self.best_epoch,
            "validation_recall@20": kept["recall@20"],
            "held_out": {name: kept.get(name) for name in (*_CURVE, "auc")},
            "held_out_retrieval": self.retrieval,
            "epochs": self.epochs,
        } | ({"note": "; ".join(notes)} if notes else {})
