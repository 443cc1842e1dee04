"""The session encoder in TensorFlow, and one step of its training, written out.

The heavy part of a step is three matrix products over the catalogue. So the rest is kept to what they need: all vectors
have length one, so a logit is at most `scale` and the softmax needs no maximum; the row sums of the exponentials come
out of the product that the gradient needs anyway (a column of ones); the gradient of a logit is never written down.
TensorFlow's tape differentiates only the small part, from clicks to a session's vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.session_encoder import SessionEncoder
from pipeline.models.sessions import MAX_HISTORY, Ints
from pipeline.models.tower import Floats

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7  # Adam's
TABLES = ("items", "features")  # the rest is small
State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Known:
    """What is known of the items, as a sparse matrix: item `rows` has feature `codes` with `weights`."""

    rows: Ints
    codes: Ints
    weights: Floats
    size: int  # features

    @staticmethod
    def of(rows: Ints, codes: Ints, size: int) -> "Known":
        """Weigh an item's features so that their sum is no longer for an item with many."""
        count = np.bincount(rows, minlength=1)[rows] if len(rows) else np.empty(0)
        return Known(rows, codes, (1 / np.sqrt(np.maximum(count, 1))).astype(np.float32), size)


@dataclass(frozen=True)
class Batch:
    """Histories laid flat (session_encoder.flat) and the row of each one's next item."""

    items: Ints
    owner: Ints
    ago: Ints
    last: Ints
    targets: Ints
    step: int


class Network:
    """Weights with their optimiser's moments, and the steps that train them."""

    def __init__(self, items: int, dim: int, known: Known, scale: float, dropout: float, seed: int) -> None:
        import tensorflow as tf

        self.tf, self.dim, self.scale, self.dropout, self.seed = tf, dim, scale, dropout, seed
        self.weights = {name: tf.Variable(value, name=name) for name, value in first(items, dim, known, seed).items()}
        self.moments = {
            f"{name}/{which}": tf.Variable(tf.zeros_like(value))
            for name, value in self.weights.items()
            for which in ("mean", "square")
        }
        self.known = None
        if known.size:
            pairs = np.stack([known.rows, known.codes], axis=1)
            self.known = tf.sparse.SparseTensor(pairs, known.weights, (items, known.size))
        numbers = tf.TensorSpec([None], tf.int32)
        scalars = [tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)]
        self._full = tf.function(self._full_step, input_signature=[numbers] * 5 + scalars)

    def train(self, batch: Batch, rate: float) -> Any:
        """Take one step of Adam with `rate`; give the loss, a scalar tensor."""
        numbers = (batch.items, batch.owner, batch.ago, batch.last, batch.targets)
        return self._full(*(n.astype(np.int32) for n in numbers), np.int32(batch.step), np.float32(rate))

    def _full_step(self, items: Any, owner: Any, ago: Any, last: Any, targets: Any, step: Any, rate: Any) -> Any:
        tf = self.tf
        raw = self._raw()
        length = tf.sqrt(tf.reduce_sum(tf.square(raw), axis=1, keepdims=True) + 1e-12)
        vectors = raw / length
        small = {name: value for name, value in self.weights.items() if name not in TABLES}
        with tf.GradientTape() as tape:
            clicks = tf.gather(vectors, items)
            tape.watch(clicks)
            sessions = encode(tf, small, self._drop(clicks, step), owner, ago, last)
        loss, to_sessions, to_vectors, to_targets = softmax(tf, sessions, vectors, targets, self.scale)
        to_clicks, to_small = tape.gradient(sessions, (clicks, small), output_gradients=to_sessions)
        rows = tf.concat([targets, items], axis=0)[:, None]
        to_vectors = tf.tensor_scatter_nd_add(to_vectors, rows, tf.concat([to_targets, to_clicks], axis=0))
        along = tf.reduce_sum(to_vectors * vectors, axis=1, keepdims=True)
        to_raw = (to_vectors - vectors * along) / length
        gradients = to_small | {"items": to_raw}
        if self.known is not None:
            gradients["features"] = tf.sparse.sparse_dense_matmul(self.known, to_raw, adjoint_a=True)
        count = tf.cast(step + 1, tf.float32)
        for name, gradient in gradients.items():
            self._adam(name, gradient, count, rate)
        return loss

    def _raw(self) -> Any:
        """Add what is known of each item to what was learnt of it alone."""
        items = self.weights["items"]
        if self.known is None:
            return items + 0.0
        return items + self.tf.sparse.sparse_dense_matmul(self.known, self.weights["features"])

    def _drop(self, clicks: Any, step: Any) -> Any:
        """Drop parts of the clicks' vectors; by seed and step, so that a training that goes on drops the same."""
        if not self.dropout:
            return clicks
        return self.tf.nn.experimental.stateless_dropout(clicks, self.dropout, seed=[self.seed, step])

    def _adam(self, name: str, gradient: Any, count: Any, rate: Any) -> None:
        """Update in one pass over the weights (Kingma & Ba, ICLR 2015): TensorFlow's own kernel."""
        moments = [self.moments[f"{name}/{which}"].handle for which in ("mean", "square")]
        self.tf.raw_ops.ResourceApplyAdam(
            var=self.weights[name].handle,
            m=moments[0],
            v=moments[1],
            beta1_power=BETA1**count,
            beta2_power=BETA2**count,
            lr=rate,
            beta1=BETA1,
            beta2=BETA2,
            epsilon=EPSILON,
            grad=gradient,
        )

    def export(self) -> SessionEncoder:
        """Give the weights as the encoder that answers without TensorFlow."""
        raw = self._raw().numpy()
        vectors = raw / np.sqrt(np.square(raw).sum(axis=1, keepdims=True) + 1e-12)
        small = {name: value.numpy() for name, value in self.weights.items() if name not in TABLES}
        return SessionEncoder(vectors=vectors, **small)

    def encode(self, batch: Batch) -> Floats:
        """Encode a batch's histories with TensorFlow, to (n, dim): what the exported encoder is held against."""
        tf = self.tf
        raw = self._raw()
        clicks = tf.gather(raw / tf.sqrt(tf.reduce_sum(tf.square(raw), axis=1, keepdims=True) + 1e-12), batch.items)
        small = {name: value for name, value in self.weights.items() if name not in TABLES}
        return np.asarray(encode(tf, small, clicks, batch.owner, batch.ago, batch.last).numpy())

    def state(self) -> State:
        """Read all weights and moments, for a checkpoint."""
        return {name: value.numpy() for name, value in (self.weights | self.moments).items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Set all weights and moments to those of a checkpoint."""
        for name, value in (self.weights | self.moments).items():
            value.assign(state[name])


def first(items: int, dim: int, known: Known, seed: int) -> dict[str, Floats]:
    """Draw the first weights; a session begins as a mixture of its last click and of all its clicks."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, deviation: float) -> Floats:
        return random.normal(0, deviation, shape).astype(np.float32)

    unit = dim**-0.5
    weights = {
        "items": normal(items, dim, deviation=unit),
        "last": 0.5 * np.eye(dim, dtype=np.float32) + normal(dim, dim, deviation=0.02),
        "context": 0.5 * np.eye(dim, dtype=np.float32) + normal(dim, dim, deviation=0.02),
        "bias": np.zeros(dim, np.float32),
        "hidden": normal(2 * dim, 2 * dim, deviation=(2 * dim) ** -0.5),
        "out": normal(2 * dim, dim, deviation=0.01),
        "query": normal(dim, deviation=unit),
        "key_last": normal(dim, dim, deviation=unit),
        "key_click": normal(dim, dim, deviation=unit),
        "key_position": normal(MAX_HISTORY, dim, deviation=0.1),
        "position": normal(MAX_HISTORY, dim, deviation=0.02),
        "recency": -0.3 * np.arange(MAX_HISTORY, dtype=np.float32),
    }
    return weights | ({"features": normal(known.size, dim, deviation=0.3 * unit)} if known.size else {})


def encode(tf: Any, weights: Mapping[str, Any], clicks: Any, owner: Any, ago: Any, last: Any) -> Any:
    """Make (n, dim) session vectors of length one from the clicks' vectors; SessionEncoder says the same in numpy."""
    newest = tf.gather(clicks, last)
    keys = tf.gather(newest @ weights["key_last"], owner) + clicks @ weights["key_click"]
    keys += tf.gather(weights["key_position"], ago)
    attention = tf.linalg.matvec(tf.tanh(keys * 0.5), weights["query"]) + tf.gather(weights["recency"], ago)
    shares = tf.exp(attention)[:, None]
    placed = clicks + tf.gather(weights["position"], ago)
    attended = tf.math.segment_sum(placed * shares, owner) / tf.math.segment_sum(shares, owner)
    vectors = newest @ weights["last"] + attended @ weights["context"] + weights["bias"]
    vectors += tf.nn.relu(tf.concat([newest, attended], axis=1) @ weights["hidden"]) @ weights["out"]
    return tf.math.l2_normalize(vectors, axis=1, epsilon=1e-12)


def softmax(tf: Any, sessions: Any, vectors: Any, targets: Any, scale: float) -> tuple[Any, Any, Any, Any]:
    """Give the mean cross-entropy over all items, and its gradients to sessions, to vectors and to the targets'."""
    count = tf.shape(sessions)[0]
    ones = tf.pad(vectors, [[0, 0], [0, 1]], constant_values=1.0)
    scaled = tf.pad(sessions * scale, [[0, 0], [0, 1]], constant_values=-scale)
    shares = tf.exp(tf.matmul(scaled, ones, transpose_b=True))  # of a logit less `scale`, so at most 1
    sums = tf.matmul(shares, ones)
    mean, total = sums[:, :-1] / sums[:, -1:], sums[:, -1]
    wanted = tf.gather(vectors, targets)
    loss = tf.reduce_mean(scale * (1 - tf.reduce_sum(sessions * wanted, axis=1)) + tf.math.log(total))
    weight = scale / tf.cast(count, tf.float32)
    to_vectors = tf.matmul(shares, sessions * (weight / sums[:, -1:]), transpose_a=True)
    return loss, weight * (mean - wanted), to_vectors, -weight * sessions
