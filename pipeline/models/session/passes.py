"""The passes of a session encoder's training, their validation, and the checkpoints between them.

The sessions that end last tell when more passes stop to help; being the most recent, they are also the most valuable to
learn from. So the search passes run at a constant rate over the others, and the finishing ones, with a falling rate,
over all sessions.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.core.checks import finite
from pipeline.core.columns import SESSION_ID
from pipeline.core.errors import StopEarly, UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress
from pipeline.metrics.ranking import rank
from pipeline.models import checkpoint
from pipeline.models.checkpoint import CONFIG
from pipeline.models.contract import BatchSize, Epochs, LearningRate
from pipeline.models.session.examples import TrainingExamples
from pipeline.models.session.network import Network, TrainingState
from pipeline.models.weights import Diverged, diverged, stay_finite
from pipeline.sessions.histories import hold_out

HELD_OUT = 0.05  # of the training sessions, the last to end
MOST_VALIDATED = 20_000  # next clicks
FEWEST_SESSIONS = 20  # with fewer, none is held out
CUTOFF = 20
GAIN = 1.01  # a search pass that improves NDCG@20 by less than 1 % is the last
WARM_UP = 0.3  # of the first pass, in which the rate rises
LAST_RATE = 0.05  # of the rate, where it has fallen to at the end
SLACK = 0.1  # of the time left for the finish, by which the clock may be ahead of the steps
GO_ON_RATE = 0.2  # of the rate, where a training that goes on begins
_BLOCK = 1024  # histories validated at once


class SessionConfig(Options):
    """What can be chosen of the training."""

    epochs: Epochs = Field(
        default=6,
        description="At most so many passes at a constant rate; fewer where validation NDCG@20 no longer rises by 1 %.",
    )
    finish: int = Field(
        default=3, ge=0, le=1000, description="Passes over all sessions, those held out too, with a falling rate."
    )
    batch_size: BatchSize = Field(
        default=512, description="Different histories in a batch, each with all the clicks that follow it."
    )
    learning_rate: LearningRate = Field(default=0.005, description="Adam's step size.")
    dropout: float = Field(
        default=0.2, ge=0, le=0.9, description="Share of a click's vector that is dropped in training."
    )
    scale: float = Field(
        default=0.0,
        ge=0,
        le=40,
        description="What a cosine is multiplied by before the softmax; more fits the clicks more closely. 0: by the "
        "items' number.",
    )
    dim: int = Field(default=100, ge=4, le=1024, description="Numbers in a vector.")
    budget: float = Field(default=10.0, ge=0.01, le=10_000, description="Minutes that the training may take.")
    go_on: bool = Field(
        default=False,
        description="Go on from the model trained before: only the finishing passes, over the sessions since and as "
        "many before.",
    )
    seed: int = Field(
        default=42, ge=0, le=2**31 - 1, description="Of the first weights, the shuffling and what is dropped."
    )


@dataclass
class Course:
    """Where a training is: what a checkpoint holds besides the weights."""

    phase: str = "search"
    epoch: int = 0  # whole passes of the phase
    step: int = 0  # batches of both phases
    finish_steps: int = 0
    finish_from: int = 0
    finish_at: float = 0.0  # seconds
    seconds: float = 0.0
    best: float = -1.0  # validation NDCG@20
    best_epoch: int = 0
    note: str = ""
    points: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)


class TrainingPasses:
    """The passes, their validation and their checkpoints."""

    def __init__(
        self, network: Network, clicks: pl.DataFrame, config: SessionConfig, kept: Path, progress: Progress
    ) -> None:
        self.network, self.config, self.kept, self.progress = network, config, kept, progress
        self.everything = TrainingExamples.of(clicks).merged()
        few = clicks[SESSION_ID].n_unique() < FEWEST_SESSIONS
        fitting, late = (clicks, clicks.head(0)) if few else hold_out(clicks, HELD_OUT)
        self.fitting = TrainingExamples.of(fitting).merged()
        validation = TrainingExamples.of(late)
        last = slice(-MOST_VALIDATED, None)
        self.validation = validation.histories.take(last), validation.targets[last]
        if not len(self.fitting):
            raise UserError("No session of the training part has two clicks on known items: add more clicks.")
        self.course = Course()
        self.good: TrainingState | None = None  # the best pass of the search, or the last whole one of the finish
        self.begun = time.monotonic()
        self.planned = 1  # steps in all, as far as is known
        if config.go_on:
            steps = config.finish * -(-len(self.everything) // config.batch_size)
            self.course = Course(phase="finish", finish_steps=steps)

    @property
    def seconds(self) -> float:
        """Give the seconds that the training has taken, before a kill too."""
        return self.course.seconds + time.monotonic() - self.begun

    def run(self) -> None:
        """Train to the end, or to where it was stopped or diverged; the network then has the weights to keep."""
        self._resume()
        if not len(self.validation[1]):
            self.course.note = "too few sessions to hold some out: every pass was trained, none chosen"
        try:
            self._search()
            self._finish()
        except StopEarly:
            self.course.note = f"stopped early, in pass {self._pass()}; the best before it was kept"
        except Diverged as error:
            if self.good is None:
                raise diverged(self.course.step, self.config.learning_rate) from error
            self.course.note = f"the loss was not a number in pass {self._pass()}; the best before it was kept"
        if self.good is not None:
            self.network.restore(self.good)
        elif not finite(self.network.state()):
            raise diverged(self.course.step, self.config.learning_rate)

    def _pass(self) -> int:
        return len(self.course.epochs) + 1

    def _search(self) -> None:
        course, config = self.course, self.config
        if course.phase != "search":
            return
        steps = -(-len(self.fitting) // config.batch_size)
        warm = max(1.0, WARM_UP * steps)
        while course.epoch < config.epochs and not self._search_is_over():
            loss = self._pass_over(
                self.fitting, steps, steps * (config.epochs + config.finish), lambda step: min(1.0, (step + 1) / warm)
            )
            course.epoch += 1
            self._validated(loss)
            self._keep()
        if self.good is not None:
            self.network.restore(self.good)
        course.phase, course.epoch = "finish", 0
        course.finish_from, course.finish_at = course.step, self.seconds
        course.finish_steps = config.finish * -(-len(self.everything) // config.batch_size)

    def _search_is_over(self) -> bool:
        """Tell whether another pass would not pay, or would not leave the time that finishing needs."""
        ndcg = [e["validation_ndcg@20"] for e in self.course.epochs if "validation_ndcg@20" in e]
        if len(ndcg) > 1 and ndcg[-1] < GAIN * max(ndcg[:-1]):
            return True
        passes = self.course.epoch
        return passes > 0 and self.seconds * (1 + (1 + self.config.finish) / passes) > self.config.budget * 60

    def _finished(self) -> float:
        """Give the share of the finish that is over: by its steps, or by its time where that runs out first.

        Where there is time enough, the clock has no say, not even in the first step: the numbers stay the same.
        """
        course = self.course
        left = max(1e-9, self.config.budget * 60 - course.finish_at)
        steps = (course.step - course.finish_from) / max(1, course.finish_steps)
        clock = (self.seconds - course.finish_at) / left
        return max(steps, (clock - SLACK) / (1 - SLACK))

    def _finish(self) -> None:
        course, size = self.course, -(-len(self.everything) // self.config.batch_size)
        first = GO_ON_RATE if self.config.go_on else 1.0
        while course.finish_steps and self._finished() < 1:
            loss = self._pass_over(
                self.everything,
                size,
                course.finish_from + course.finish_steps,
                lambda step: first * (1 - (1 - LAST_RATE) * min(1.0, self._finished())),
            )
            course.epoch += 1
            course.epochs.append({"epoch": self._pass(), "loss": loss})
            self.good = self.network.state()
            self._keep()

    def _pass_over(self, examples: TrainingExamples, steps: int, total: int, rate: Callable[[int], float]) -> float:
        """Train one pass, shuffled by seed and pass; give the mean loss of its examples."""
        course, size = self.course, self.config.batch_size
        order = np.random.default_rng([self.config.seed, self._pass()]).permutation(len(examples))
        losses = []
        for begin in range(0, steps * size, size):
            batch = examples.batch(order[begin : begin + size], course.step)
            losses.append(float(self.network.train(batch, self.config.learning_rate * rate(course.step))))
            stay_finite(losses[-1])
            course.step += 1
            self._report(losses, total, steps)
            if self._out_of_time():
                break
        stay_finite(self.network.state())  # the last step's, which no loss has told of yet
        return float(np.mean(losses))

    def _out_of_time(self) -> bool:
        """Tell whether a pass has to end before it is whole: at half the budget the first, at its end the last."""
        if self.course.phase == "finish":
            return self._finished() >= 1
        return not self.course.epoch and self.seconds > self.config.budget * 30

    def _report(self, losses: list[float], total: int, steps: int) -> None:
        course = self.course
        point = None
        if course.step % max(1, steps // 12) == 0:
            point = {"step": course.step, "loss": float(np.mean(losses[-max(1, steps // 12) :]))}
            course.points.append(point)
        within = round(course.step * self.config.budget * 60 / max(self.seconds, 1e-9))  # steps, at the pace so far
        self.planned = max(course.step, min(total, within))
        of = f"pass {self._pass()}" + (", finishing on all sessions" if course.phase == "finish" else "")
        self.progress(course.step, self.planned, f"{of} · loss {losses[-1]:.3f}", point)

    def _validated(self, loss: float) -> None:
        """Rank the held-out sessions' next clicks over the whole catalogue; keep the best weights so far."""
        course, entry = self.course, {"epoch": self._pass(), "loss": loss}
        if len(self.validation[1]):
            figures = self._validate()
            entry |= figures
            point = {"step": course.step, **figures}
            course.points.append(point)
            self.progress(
                course.step, self.planned, f"validation recall@20 {figures['validation_recall@20']:.3f}", point
            )
        if entry.get("validation_ndcg@20", float(course.epoch)) > course.best:
            course.best = entry.get("validation_ndcg@20", float(course.epoch))
            course.best_epoch = course.epoch
            self.good = self.network.state()
        course.epochs.append(entry)

    def _validate(self) -> dict[str, float]:
        encoder, (histories, targets) = self.network.export(), self.validation
        ranks = np.empty(len(targets))
        for begin in range(0, len(targets), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            ranks[block] = rank(encoder.score(histories.take(block)), targets[block])
        hit = ranks <= CUTOFF
        return {
            "validation_recall@20": float(hit.mean()),
            "validation_mrr@20": float(np.where(hit, 1 / ranks, 0).mean()),
            "validation_ndcg@20": float(np.where(hit, 1 / np.log2(ranks + 1.0), 0).mean()),
        }

    def _keep(self) -> None:
        """Write the checkpoint: the weights as they are, and the best beside them."""
        good = {f"good/{name}": value for name, value in (self.good or {}).items()}
        about = vars(self.course) | {"seconds": self.seconds, CONFIG: self.config.model_dump()}
        checkpoint.save(self.kept, self.network.state() | good, about)

    def _resume(self) -> None:
        found = checkpoint.load(self.kept)
        if found is None:
            return
        arrays, about = found
        self.course = Course(**{field.name: about[field.name] for field in fields(Course)})
        self.network.restore(arrays)
        good = {name.removeprefix("good/"): value for name, value in arrays.items() if name.startswith("good/")}
        self.good = good or None

    def summary(self) -> dict[str, Any]:
        """Give the last loss, the best pass of the search with its validation figures, and every pass's figures."""
        course = self.course
        best = next((e for e in course.epochs if e["epoch"] == course.best_epoch), {})
        return {
            "loss": course.epochs[-1]["loss"] if course.epochs else None,
            "best_epoch": course.best_epoch,
            **{name: value for name, value in best.items() if name.startswith("validation_")},
            "steps": course.step,
            "epochs": course.epochs,
            "training_s": round(self.seconds, 1),
        } | ({"note": course.note} if course.note else {})
