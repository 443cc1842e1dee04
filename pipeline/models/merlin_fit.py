"""How a Merlin model is fitted from a Parquet file, watched, and ended early."""

from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import StopEarly


class Listener(Protocol):
    """What follows a training, and keeps its best."""

    def batch(self, batch: int, logs: dict[str, float]) -> None:
        """Hear of a batch; raises StopEarly where somebody asked to end."""

    def epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Hear of an epoch."""

    def stop(self) -> None:
        """Keep the best so far."""


def fit(model: Any, table: Path, schema: Any, config: Any, listener: Listener) -> None:
    """Fit `model` on the rows of `table` for `config.epochs`, or until it is stopped."""
    import tensorflow as tf
    from merlin.io import Dataset

    try:
        model.fit(
            Dataset(str(table), engine="parquet", schema=schema),
            batch_size=config.batch_size,
            epochs=config.epochs,
            verbose=0,
            callbacks=[tf.keras.callbacks.LambdaCallback(on_batch_end=listener.batch, on_epoch_end=listener.epoch)],
        )
    except StopEarly:
        listener.stop()
