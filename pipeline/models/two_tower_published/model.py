"""The two-tower model as published: it knows a session by its id, so a session never seen is nobody in particular.

It stays as a lesson. What it computes is Merlin Models' (published_network.py says so, and a test); the training keeps
two curves of the same measure side by side: over clicks that it learns from, and over those of sessions held out.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.arrays import Floats
from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_IDX, OUT_OF_VOCABULARY, SESSION_ID
from pipeline.core.errors import StopEarly
from pipeline.core.ids import matched
from pipeline.core.options import Options
from pipeline.core.progress import Progress
from pipeline.metrics.ranking import ranking_figures
from pipeline.models import weights
from pipeline.models.contract import BatchSize, Epochs, LearningRate, Seed, TrainingInput
from pipeline.models.lazy_adam import Schedule
from pipeline.models.two_tower_published.network import ClickRows, PublishedNetwork
from pipeline.models.weights import Diverged, diverged, stay_finite
from pipeline.sessions.histories import Histories, hold_out, next_clicks

AGES = 58  # as published: a number from 18 to 75, drawn at random for each session
_JUDGED = 10  # batches at each point of either curve
_POINTS = 40  # of the curve
_BLOCK = 65_536  # sessions encoded at once
WEIGHTS, SESSIONS, IDS = "towers.npz", "sessions.npy", "sessions.parquet"


class PublishedConfig(Options):
    """What can be chosen; published: one pass over 26 million clicks."""

    epochs: Epochs = Field(
        default=10, description="Passes over the training clicks; all of them are made, and the last is kept."
    )
    batch_size: BatchSize = Field(
        default=1024, description="Clicks in a batch; the other clicks' items are the negatives."
    )
    learning_rate: LearningRate = Field(default=0.001, description="Adam's step size.")
    seed: Seed = Field(default=42, description="Of the first weights, the shuffling and the ages.")


def train(given: TrainingInput[PublishedConfig]) -> dict[str, Any]:
    """Write vectors of items and of sessions, give the metrics."""
    clicks, catalogue, config = given.clicks, given.catalogue, given.options
    random = np.random.default_rng(config.seed)
    fitting, late = hold_out(clicks)
    rows, ids = _rows(fitting, random), fitting[SESSION_ID].unique(maintain_order=True)
    steps = -(-len(rows) // config.batch_size)
    sizes = {
        "session": len(ids) + FIRST_IDX,
        "age": AGES + FIRST_IDX,
        "item": int(catalogue[ITEM_IDX].max()) + 1,  # type: ignore[arg-type]
        "category": int(max(catalogue[CATEGORY_IDX].max(), clicks[CATEGORY_IDX].max())) + 1,  # type: ignore[type-var, arg-type]
    }
    network = PublishedNetwork(sizes, Schedule(config.learning_rate, steps * config.epochs), config.seed)
    unknown = replace(held := _rows(late, random), session=np.full_like(held.session, OUT_OF_VOCABULARY))
    judged = [_batches(part, random, config.batch_size) for part in (rows, unknown)]
    course = _Course(network, config, steps, judged, catalogue, late, given.progress)
    try:
        course.run(rows, random)
        _save(given.folder, network, catalogue, ids, rows)
    except Diverged as error:  # no pass before is kept beside: the tables may be all that fits
        raise diverged(network.step, config.learning_rate) from error
    pl.from_dicts(course.points, infer_schema_length=None).write_parquet(given.folder / "curve.parquet")
    return course.summary()


def _rows(clicks: pl.DataFrame, random: np.random.Generator) -> ClickRows:
    """Give each session a number, and an age by chance."""
    session = (clicks[SESSION_ID] != clicks[SESSION_ID].shift(1)).fill_null(True).cum_sum().to_numpy() - 1
    ages = random.integers(AGES, size=int(session[-1]) + 1, dtype=np.int32)
    codes = (
        session + FIRST_IDX,
        ages[session] + FIRST_IDX,
        clicks[ITEM_IDX].to_numpy(),
        clicks[CATEGORY_IDX].to_numpy(),
    )
    return ClickRows(*(code.astype(np.int32) for code in codes))


def _batches(rows: ClickRows, random: np.random.Generator, size: int) -> list[ClickRows]:
    """Draw some batches to be judged by."""
    size = min(size, len(rows))
    order = random.permutation(len(rows))
    return [rows.take(order[i * size : (i + 1) * size]) for i in range(min(_JUDGED, len(rows) // size))]


class _Course:
    """The passes of a training, and what is seen on the way."""

    def __init__(
        self, network: PublishedNetwork, config: PublishedConfig, steps: int, judged: list[list[ClickRows]],
        catalogue: pl.DataFrame, late: pl.DataFrame, progress: Progress,
    ) -> None:  # fmt: skip
        self.network, self.config, self.steps, self.judged = network, config, steps, judged
        self.catalogue, self.progress = catalogue, progress
        histories, targets, _ = next_clicks(late)
        self.next = histories, np.where(targets >= FIRST_IDX, targets - FIRST_IDX, -1)
        self.points: list[dict[str, float]] = []
        self.epochs: list[dict[str, float]] = []
        self.note = ""

    def run(self, rows: ClickRows, random: np.random.Generator) -> None:
        """Take all passes, or those until it is stopped."""
        try:
            for _ in range(self.config.epochs):
                self.pass_over(rows, random)
        except StopEarly:
            of = self.steps * self.config.epochs
            self.note = f"stopped early, after {self.network.step:,} of {of:,} batches"

    def pass_over(self, rows: ClickRows, random: np.random.Generator) -> None:
        """Take all batches of a pass, shuffled; look at known and at held-out ones now and then."""
        order, total = random.permutation(len(rows)), self.steps * self.config.epochs
        losses = []
        for begin in range(0, len(rows), self.config.batch_size):
            batch = rows.take(order[begin : begin + self.config.batch_size])
            step, point = self.network.step, None
            if step % max(1, total // _POINTS) == 0:
                point = self._judge()
            losses.append(self.network.train(batch))
            stay_finite(losses[-1])
            text = f"pass {len(self.epochs) + 1} of {self.config.epochs} · loss {losses[-1]:.3f}"
            self.progress(step + 1, total, text, point)
        self._end_of_pass(float(np.mean(losses)), total)

    def _judge(self) -> dict[str, float]:
        """Measure both: clicks that it trains on, and clicks of sessions held out, which have no row of their own."""
        seen, new = (np.mean([self.network.judge(one) for one in part], axis=0).tolist() for part in self.judged)
        point = {"step": self.network.step, "loss": seen[0], "recall@10": seen[1]}
        point |= {"validation_loss": new[0], "validation_recall@10": new[1]}
        self.points.append(point)
        return point

    def _end_of_pass(self, loss: float, total: int) -> None:
        """Rank the held-out sessions' next clicks over the whole catalogue, as any other model is judged."""
        answering = PublishedTwoTower(*vectors(self.network, self.catalogue))
        stay_finite((answering.vectors, answering.unknown))
        histories, targets = self.next
        found = ranking_figures(lambda rows: answering.score(histories.take(rows)), targets, len(answering.vectors))
        point = {"step": self.network.step, "validation_recall@20": found["recall@20"]}
        self.points.append(point)
        self.epochs.append({"epoch": len(self.epochs) + 1, "loss": loss, "validation_recall@20": found["recall@20"]})
        text = f"pass {len(self.epochs)}: validation recall@20 {found['recall@20']:.3f}"
        self.progress(self.network.step, total, text, point)

    def summary(self) -> dict[str, Any]:
        """Give both curves' ends, and every pass's figures."""
        ends = {name: value for name, value in self._last().items() if name != "step"}
        passed = self.epochs[-1] if self.epochs else {}
        return {
            **ends,
            "best_epoch": len(self.epochs),
            "validation_recall@20": passed.get("validation_recall@20"),
            "steps": self.network.step,
            "epochs": self.epochs,
        } | ({"note": self.note} if self.note else {})

    def _last(self) -> dict[str, float]:
        return next((point for point in reversed(self.points) if "recall@10" in point), {})


def vectors(network: PublishedNetwork, catalogue: pl.DataFrame) -> tuple[Floats, Floats]:
    """Give the items' vectors (items, dim), and the one (dim,) of every session that is not known, of no age."""
    unknown = np.array([OUT_OF_VOCABULARY])
    items = network.encode("item", catalogue[ITEM_IDX].to_numpy(), catalogue[CATEGORY_IDX].to_numpy())
    return items, network.encode("query", unknown, unknown)[0]


def _save(folder: Path, network: PublishedNetwork, catalogue: pl.DataFrame, ids: pl.Series, rows: ClickRows) -> None:
    items, unknown = vectors(network, catalogue)
    stay_finite((items, unknown))
    weights.save(folder / WEIGHTS, {"items": items, "unknown": unknown})
    ids.to_frame(SESSION_ID).write_parquet(folder / IDS)
    first = np.flatnonzero(np.diff(rows.session, prepend=-1))
    stored = np.lib.format.open_memmap(folder / SESSIONS, "w+", np.float32, (len(first), items.shape[1]))
    for begin in range(0, len(first), _BLOCK):
        some = rows.take(first[begin : begin + _BLOCK])
        encoded = network.encode("query", some.session, some.age)
        stay_finite(encoded)
        stored[begin : begin + _BLOCK] = encoded
    stored.flush()


@dataclass(frozen=True)
class PublishedTwoTower:
    """The trained model: an item's vector, a known session's vector, and one vector for all other sessions."""

    vectors: Floats  # (items, dim)
    unknown: Floats  # (dim,)
    ids: pl.Series | None = None
    sessions: Floats | None = None  # (known sessions, dim)

    def encode(self, histories: Histories) -> Floats:
        """Give every history the vector of a session that is not known: what it clicked is not looked at."""
        return np.tile(self.unknown, (len(histories), 1))

    def encode_sessions(self, ids: pl.Series) -> Floats:
        """Give (n, dim) vectors of sessions by their ids."""
        assert self.ids is not None
        assert self.sessions is not None
        known = pl.DataFrame({SESSION_ID: self.ids}).with_row_index("row")
        rows = matched(ids.to_frame(SESSION_ID), known, SESSION_ID)["row"]
        found = np.tile(self.unknown, (len(ids), 1))
        found[rows.is_not_null().to_numpy()] = self.sessions[rows.drop_nulls().to_numpy()]
        return found

    def score(self, histories: Histories) -> Floats:
        """Give every history the same scores of all items."""
        return np.broadcast_to(self.vectors @ self.unknown, (len(histories), len(self.vectors)))


def load(folder: Path) -> PublishedTwoTower:
    """Read the model; the sessions' vectors stay on disk until they are asked for."""
    stored = weights.load(folder / WEIGHTS)
    return PublishedTwoTower(
        stored["items"],
        stored["unknown"],
        pl.read_parquet(folder / IDS)[SESSION_ID],
        np.load(folder / SESSIONS, mmap_mode="r"),
    )
