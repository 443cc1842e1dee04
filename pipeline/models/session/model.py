"""Train the session encoder anew or from where it was, and write what answers and what goes on learning."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.columns import FIRST_IDX, ITEM_IDX, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.models import checkpoint
from pipeline.models.contract import TrainingInput
from pipeline.models.features import learn
from pipeline.models.session import growth
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.examples import TrainingExamples
from pipeline.models.session.network import ItemFeatures, Network
from pipeline.models.session.passes import SessionConfig, TrainingPasses
from pipeline.models.weights import agree

ENCODER = "encoder.npz"
TOLERANCE = 1e-5  # the exported encoder against TensorFlow


def train(given: TrainingInput[SessionConfig]) -> dict[str, Any]:
    """Write encoder.npz and what a later training goes on from; raise UserError where there is nothing to learn."""
    folder, clicks, catalogue, config = given.folder, given.clicks, given.catalogue, given.options
    before, kept = given.before or folder, given.checkpoint or folder / "checkpoint.npz"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given.progress(0, 1, "loading TensorFlow")
    import tensorflow as tf

    if catalogue.height < 2:
        raise UserError(f"The catalogue has {catalogue.height} item, and a ranking needs at least 2: add more clicks.")
    features = growth.features_of(before) if config.go_on else learn(catalogue)
    network = Network(
        np.bincount(clicks[ITEM_IDX].to_numpy(), minlength=catalogue.height + FIRST_IDX)[FIRST_IDX:],
        config.dim,
        ItemFeatures(*features.codes(catalogue), len(features)),
        config.scale or usual_scale(catalogue.height),
        config.dropout,
        config.seed,
    )
    until = clicks[TIMESTAMP].dt.replace_time_zone(None).max()
    if config.go_on:
        clicks = growth.recent(clicks, before)
        growth.carry_over(network, before, catalogue)
    training = TrainingPasses(network, clicks, config, kept, given.progress)
    try:
        training.run()
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise UserError(
            f"Out of memory at batch_size {config.batch_size} and {catalogue.height:,} items: lower --batch-size and "
            "train again; the model that was there before still is."
        ) from error
    encoder = network.export()
    check_export(network, encoder, training.everything)
    write(folder, network, encoder, {"until": str(until), "features": features.as_json()}, training.course.points)
    kept.unlink(missing_ok=True)
    return training.summary()


def usual_scale(items: int) -> float:
    """Give the scale at which the right item can take 88 % of the softmax: ln(items - 1) + 2.

    The lower bound of Wang et al. (CosFace, CVPR 2018); less cannot fit the clicks, more fits them too well.
    """
    return float(np.log(max(2, items) - 1) + 2)


def write(
    folder: Path, network: Network, encoder: SessionEncoder, about: dict[str, Any], points: list[dict[str, float]]
) -> None:
    """Write what answers (encoder.npz), what goes on learning (state.npz) and the curve."""
    encoder.save(folder / ENCODER)
    checkpoint.save(folder / "state.npz", network.state(), about)
    pl.from_dicts(points, infer_schema_length=None).write_parquet(folder / "curve.parquet")


def check_export(network: Network, encoder: SessionEncoder, examples: TrainingExamples) -> None:
    """Hold the exported weights against TensorFlow's outputs on some examples; a difference is a defect."""
    rows = np.arange(min(512, len(examples)))
    batch = examples.batch(rows, 0)
    difference = np.abs(network.encode(batch) - encoder.encode(examples.histories.take(rows))).max()
    agree("the exported encoder differs from TensorFlow's outputs", (difference,), TOLERANCE)
