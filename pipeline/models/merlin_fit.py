"""How a Merlin model is fitted from a Parquet file, watched, and ended early or where it goes astray."""

from pathlib import Path
from typing import Any, Protocol

from pipeline.core.errors import StopEarly
from pipeline.models.weights import Diverged, diverged, stay_finite


class Listener(Protocol):
    """What follows a training, and keeps its best."""

    done: int
    """Batches."""
    epochs: list[dict[str, Any]]
    """Figures of those that were judged."""
    notes: list[str]
    """What is to be said of the training."""

    def batch(self, batch: int, logs: dict[str, float]) -> None:
        """Hear of a batch; raises StopEarly where somebody asked to end."""

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Hear of an epoch; raises Diverged where its weights are not finite."""

    def stop(self) -> None:
        """Keep the best so far; raises Diverged where there is nothing finite to keep."""


def fit(model: Any, table: Path, schema: Any, config: Any, listener: Listener) -> None:
    """Fit `model` on the rows of `table` for `config.epochs`, or until it is stopped or its loss is not a number.

    What was best before is kept then; UserError where no epoch had ended.
    """
    import tensorflow as tf
    from merlin.io import Dataset

    def batch(number: int, logs: dict[str, float]) -> None:
        stay_finite(float(logs["loss_batch"]))
        listener.batch(number, logs)

    try:
        try:
            model.fit(
                Dataset(str(table), engine="parquet", schema=schema),
                batch_size=config.batch_size,
                epochs=config.epochs,
                verbose=0,
                callbacks=[tf.keras.callbacks.LambdaCallback(on_batch_end=batch, on_epoch_end=listener.epoch)],
            )
        except StopEarly:
            listener.stop()
    except Diverged as error:
        if not listener.epochs:
            raise diverged(listener.done, config.learning_rate) from error
        listener.notes.append(
            f"the loss was not a number in epoch {len(listener.epochs) + 1}; the best before it was kept"
        )
