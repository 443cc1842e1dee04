"""Weights on their way: only finite numbers are kept by a training, written, published and read."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.arrays import Numbers
from pipeline.core.checks import finite
from pipeline.core.errors import UserError


class Diverged(Exception):
    """The loss or a weight is not a finite number any more: nothing can be learnt from here on."""


def stay_finite(value: Any) -> None:
    """Raise Diverged where a loss, or weights, are not finite."""
    if not finite(value):
        raise Diverged


def diverged(batches: int, learning_rate: float) -> UserError:
    """Say what to change where a training went astray and nothing of it can be kept."""
    return UserError(
        f"The loss is not a number after {batches:,} batches: lower --learning-rate, now {learning_rate:g}; the model "
        "that was there before still is."
    )


def agree(sentence: str, apart: Iterable[float], tolerance: float) -> None:
    """Raise AssertionError, with `sentence` and how far, unless all differences are within a tolerance; NaN is not."""
    worst = float(np.max([float(one) for one in apart]))
    if not worst <= tolerance:
        raise AssertionError(f"{sentence} by {worst:.2g}")


def save(path: Path, arrays: Mapping[str, Numbers]) -> None:
    """Write weights to an .npz file; UserError for any that are not finite, which no model answers with."""
    if not finite(arrays):
        raise UserError(f"The training ended with weights that are no finite numbers ({path.stem}): {_LOWER}")
    np.savez(path, **arrays)


def load(path: Path) -> dict[str, Numbers]:
    """Read the weights in an .npz file; UserError for any that are not finite."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    if not finite(arrays):
        raise UserError(f"{path} holds weights that are no finite numbers: train this model again.")
    return arrays


_LOWER = "lower --learning-rate and train again; the model that was there before still is."
