"""Networks as TensorFlow SavedModels, made of the weights that training exported.

Merlin's PredictTensorflow hands a network every column that comes in, and keeps only what it gives: so columns that a
network does not read pass through it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from merlin.schema import Schema

from pipeline.core.arrays import Floats
from pipeline.models.dlrm.network import DlrmNetwork
from pipeline.models.tower import Tower
from pipeline.serving.operators.names import RANKED, VECTOR

_Network = Callable[[Mapping[str, Any]], Any]


class _Passing(tf.Module):  # type: ignore[misc]
    """Compute one column of others, and pass on those that it does not read."""

    def __init__(self, network: _Network, reads: tuple[str, ...], gives: str, schema: Schema) -> None:
        super().__init__()
        specs = {
            one.name: tf.TensorSpec([None, *one.shape.as_tuple[1:]], one.dtype.to_numpy, name=one.name)
            for one in schema.column_schemas.values()
        }

        def call(inputs: Mapping[str, Any]) -> dict[str, Any]:
            passed = {name: tf.identity(value) for name, value in inputs.items() if name not in reads}
            return {**passed, gives: network(inputs)}

        self.signature = tf.function(call, input_signature=[specs])
        for name in ("__call__", "_default_save_signature"):  # what is loaded is called, and saved again, by these
            setattr(self, name, self.signature)


def save_dlrm(network: DlrmNetwork, schema: Schema, path: Path) -> None:
    """Write a DLRM that gives 'ranked_scores' (n, k) of 'categorical' (n, k, c) and 'continuous' (n, k, f)."""
    tables = [tf.constant(table) for table in network.tables]

    def score(inputs: Mapping[str, Any]) -> Any:
        categorical, continuous = inputs["categorical"], inputs["continuous"]
        dense = _relu(continuous, network.bottom)
        stacked = tf.stack([dense, *(tf.gather(t, categorical[..., n]) for n, t in enumerate(tables))], axis=2)
        products = tf.matmul(stacked, stacked, transpose_b=True)
        row, column = np.triu_indices(len(tables) + 1, 1)
        width = len(tables) + 1
        flat = tf.reshape(products, tf.concat([tf.shape(products)[:2], [width * width]], axis=0))
        hidden = _relu(tf.concat([dense, tf.gather(flat, row * width + column, axis=2)], axis=2), network.top)
        kernel, bias = network.output
        return (tf.matmul(hidden, kernel) + bias)[..., 0]

    _save(_Passing(score, ("categorical", "continuous"), RANKED, schema), path)


def save_tower(tower: Tower, schema: Schema, path: Path) -> None:
    """Write a query tower that gives 'query_vector' (n, dim) of clicks as `LayOutClicks` lays them out."""
    item, category = tf.constant(tower.item), tf.constant(tower.category)

    def encode(inputs: Mapping[str, Any]) -> Any:
        items, categories = inputs["clicked_items"], inputs["clicked_categories"]
        there = tf.cast(items > 0, tf.float32)[..., None]
        clicks = tf.concat([tf.gather(category, categories), tf.gather(item, items)], axis=2) * there
        mean = tf.reduce_sum(clicks, axis=1) / tf.maximum(tf.reduce_sum(there, axis=1), 1.0)
        hidden = tf.nn.relu(tf.matmul(mean, tower.kernel0) + tower.bias0)
        return tf.matmul(hidden, tower.kernel1) + tower.bias1

    _save(_Passing(encode, ("clicked_items", "clicked_categories"), VECTOR, schema), path)


def _relu(values: Any, layers: tuple[tuple[Floats, Floats], ...]) -> Any:
    for kernel, bias in layers:
        values = tf.nn.relu(tf.matmul(values, kernel) + bias)
    return values


def _save(module: _Passing, path: Path) -> None:
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.signature})
