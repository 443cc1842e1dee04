"""A trained session encoder that grows: items that nobody has clicked yet, and the clicks since it was trained."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats
from pipeline.core.checks import finite
from pipeline.core.columns import ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.core.ids import matched
from pipeline.models import checkpoint
from pipeline.models.features import Features
from pipeline.models.session.network import TINY, ItemFeatures, Network


def vectors_of(folder: Path, items: pl.DataFrame) -> tuple[Floats, Floats]:
    """Give vectors (n, dim) of items by what is known of them, and (n,) how many of their features training has seen.

    `items` has the columns of the catalogue that the model was trained on, or some of them; an item of which nothing is
    known has a vector of zeros, which no session is near.
    """
    arrays, about = _state(folder)
    features = Features.from_json(about["features"])
    if not len(features):
        raise UserError(
            "The model was trained on items of which nothing is known but their clicks: add metadata with --items."
        )
    pairs, weights = ItemFeatures(*features.codes(items), len(features)).of_rows(np.arange(items.height))
    raw = np.zeros((items.height, arrays["features"].shape[1]), np.float32)
    np.add.at(raw, pairs[:, 0], arrays["features"][pairs[:, 1]] * weights[:, None])
    counts = np.bincount(pairs[:, 0], minlength=items.height).astype(np.float32)
    return raw / np.sqrt(np.square(raw).sum(axis=1, keepdims=True) + TINY), counts


def features_of(folder: Path) -> Features:
    """Give the features that a trained model reads, so that a training that goes on reads the same."""
    return Features.from_json(_state(folder)[1]["features"])


def carry_over(network: Network, folder: Path, catalogue: pl.DataFrame) -> None:
    """Set a new network's weights to a trained one's, item by item; a new item begins with what is known of it."""
    arrays, _ = _state(folder)
    before = pl.read_parquet(folder / "items.parquet", columns=[ITEM_ID]).with_row_index("row")
    rows = matched(catalogue.select(ITEM_ID), before, ITEM_ID)["row"]
    known = rows.is_not_null().to_numpy()
    state = network.state()
    for name in network.weights:
        if name == "items":
            state[name][known] = arrays[name][rows.drop_nulls().to_numpy()]
            if network.known.size:
                state[name][~known] = 0
        elif state[name].shape == arrays[name].shape:
            state[name] = arrays[name]
        else:
            raise UserError(f"The model before has other dimensions ({name}): train without --go-on.")
    network.restore(state)


def recent(clicks: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Keep the sessions that ended after the training before, and as many of those that ended last before it.

    The old ones keep the model from forgetting. Raises UserError where no session is new.
    """
    until = datetime.fromisoformat(_state(folder)[1]["until"])
    ends = clicks.group_by(SESSION_ID).agg(pl.col(TIMESTAMP).max()).sort(TIMESTAMP, SESSION_ID)
    new = int((ends[TIMESTAMP].dt.replace_time_zone(None) > until).sum())
    if not new:
        raise UserError(
            f"No training session ended after {until}, where the model has learnt up to: read newer clicks."
        )
    return clicks.filter(pl.col(SESSION_ID).is_in(ends[SESSION_ID][-2 * new :].implode()))


def _state(folder: Path) -> tuple[dict[str, Floats], dict[str, Any]]:
    found = checkpoint.load(folder / "state.npz")
    if found is None:
        raise UserError(f"There is no trained session encoder in {folder}: train one without --go-on first.")
    if not finite(found[0]):
        raise UserError(f"The model in {folder} holds weights that are no finite numbers: train without --go-on.")
    return found
