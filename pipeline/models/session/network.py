"""The session encoder in TensorFlow, and one step of its training, written out.

The heavy part of a step is three matrix products over the catalogue. So the rest is kept to what they need: all vectors
have length one, so a logit is at most `scale` and the softmax needs no maximum; the row sums of the exponentials come
out of the product that the gradient needs anyway (a column of ones); the gradient of a logit is never written down; a
history that many sessions share – their first click, above all – is one row with many targets. TensorFlow's tape
differentiates only the small part, from clicks to a session's vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Ints, Numbers
from pipeline.models.lazy_adam import BETA1, BETA2, EPSILON
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.sampling import FULL_UP_TO, Sampler
from pipeline.sessions.histories import MAX_HISTORY

TINY = 1e-12  # added to a squared length
TABLES = ("items", "features")  # the rest is small
TrainingState = dict[str, Numbers]


@dataclass(frozen=True)
class ItemFeatures:
    """What is known of the items, as a sparse matrix: (items, features), of which a row's squares add up to 1."""

    rows: Ints  # sorted
    codes: Ints
    size: int  # features

    def of_rows(self, wanted: Ints) -> tuple[Ints, Floats]:
        """Give ((n, 2) pairs of a place in `wanted` and a feature, (n,) weights)."""
        low, end = (np.searchsorted(self.rows, wanted, side=side) for side in ("left", "right"))
        counts = end - low
        place = np.repeat(np.arange(len(wanted)), counts)
        codes = self.codes[np.arange(len(place)) + np.repeat(low - (np.cumsum(counts) - counts), counts)]
        return np.stack([place, codes], axis=1), (counts[place] ** -0.5).astype(np.float32)


NOTHING = ItemFeatures(np.empty(0, np.int64), np.empty(0, np.int64), 0)


@dataclass(frozen=True)
class Batch:
    """Histories laid flat (session_encoder.flat), and the next items of them all with the history that each follows."""

    items: Ints
    owner: Ints
    ago: Ints
    last: Ints
    targets: Ints
    of: Ints
    step: int


class Network:
    """Weights with their optimiser's moments, and the steps that train them."""

    def __init__(self, clicks: Ints, dim: int, known: ItemFeatures, scale: float, dropout: float, seed: int) -> None:
        import tensorflow as tf

        self.tf, self.dim, self.scale, self.dropout, self.seed = tf, dim, scale, dropout, seed
        first = first_weights(len(clicks), dim, known, seed)
        self.weights = {name: tf.Variable(value, name=name) for name, value in first.items()}
        self.moments = {
            f"{name}/{which}": tf.Variable(tf.zeros_like(value))
            for name, value in self.weights.items()
            for which in ("mean", "square")
        }
        self.known = known
        self.everything = known.of_rows(np.arange(len(clicks)))
        self.sampler = Sampler.by(clicks) if len(clicks) > FULL_UP_TO else None
        numbers, floats = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float32)
        batch = [numbers] * 6 + [tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)]
        self._full = tf.function(self._full_step, input_signature=batch)
        part = [numbers, floats, tf.TensorSpec([None, 2], tf.int64), floats]
        self._sampled = tf.function(self._sampled_step, input_signature=[*part, *batch])

    def train(self, batch: Batch, rate: float) -> Any:
        """Take one step of Adam with `rate`; give the loss, a scalar tensor."""
        end = np.int32(batch.step), np.float32(rate)
        if self.sampler is None:
            numbers = (batch.items, batch.owner, batch.ago, batch.last, batch.targets, batch.of)
            return self._full(*(n.astype(np.int32) for n in numbers), *end)
        random = np.random.default_rng([self.seed, batch.step])
        rows, weights = self.sampler.draw(random, batch.targets, batch.items)
        items, targets = np.searchsorted(rows, batch.items), np.searchsorted(rows, batch.targets)
        numbers = (items, batch.owner, batch.ago, batch.last, targets, batch.of)
        part = rows.astype(np.int32), weights, *self.known.of_rows(rows)
        return self._sampled(*part, *(n.astype(np.int32) for n in numbers), *end)

    def _full_step(
        self, items: Any, owner: Any, ago: Any, last: Any, targets: Any, of: Any, step: Any, rate: Any
    ) -> Any:
        raw = self._raw(self.weights["items"], *self.everything)
        loss, to_raw, small = self._gradients(raw, None, (items, owner, ago, last), targets, of, step)
        self._apply(small | {"items": to_raw} | self._to_features(to_raw, *self.everything), step, rate)
        return loss

    def _sampled_step(
        self, rows: Any, weights: Any, pairs: Any, shares: Any,
        items: Any, owner: Any, ago: Any, last: Any, targets: Any, of: Any, step: Any, rate: Any,
    ) -> Any:  # fmt: skip
        """Do what a full step does with some rows of the items' table, and leave the others alone."""
        raw = self._raw(self.tf.gather(self.weights["items"], rows), pairs, shares)
        loss, to_raw, small = self._gradients(raw, weights, (items, owner, ago, last), targets, of, step)
        self._apply(small | self._to_features(to_raw, pairs, shares), step, rate)
        self._adam_on_rows("items", rows, to_raw, step, rate)
        return loss

    def _gradients(
        self, raw: Any, weights: Any, histories: tuple[Any, ...], targets: Any, of: Any, step: Any
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Give the loss, its gradient to the items' vectors before they get length one, and to the small weights."""
        tf = self.tf
        items, *where = histories
        length = tf.sqrt(tf.reduce_sum(tf.square(raw), axis=1, keepdims=True) + TINY)
        vectors = raw / length
        small = {name: value for name, value in self.weights.items() if name not in TABLES}
        with tf.GradientTape() as tape:
            clicks = tf.gather(vectors, items)
            tape.watch(clicks)
            sessions = encode(tf, small, self._drop(clicks, step), *where)
        loss, to_sessions, to_vectors, to_targets = softmax(tf, sessions, vectors, weights, targets, of, self.scale)
        to_clicks, to_small = tape.gradient(sessions, (clicks, small), output_gradients=to_sessions)
        touched = tf.concat([targets, items], axis=0)[:, None]
        to_vectors = tf.tensor_scatter_nd_add(to_vectors, touched, tf.concat([to_targets, to_clicks], axis=0))
        along = tf.reduce_sum(to_vectors * vectors, axis=1, keepdims=True)
        return loss, (to_vectors - vectors * along) / length, to_small

    def _raw(self, items: Any, pairs: Any, shares: Any) -> Any:
        """Add what is known of each item to what was learnt of it alone."""
        if not self.known.size:
            return self.tf.convert_to_tensor(items)
        known = self.tf.sparse.SparseTensor(pairs, shares, (self.tf.shape(items, self.tf.int64)[0], self.known.size))
        return items + self.tf.sparse.sparse_dense_matmul(known, self.weights["features"])

    def _to_features(self, to_raw: Any, pairs: Any, shares: Any) -> dict[str, Any]:
        if not self.known.size:
            return {}
        size = (self.tf.shape(to_raw, self.tf.int64)[0], self.known.size)
        known = self.tf.sparse.SparseTensor(pairs, shares, size)
        return {"features": self.tf.sparse.sparse_dense_matmul(known, to_raw, adjoint_a=True)}

    def _drop(self, clicks: Any, step: Any) -> Any:
        """Drop parts of the clicks' vectors; by seed and step, so that a training that goes on drops the same."""
        if not self.dropout:
            return clicks
        return self.tf.nn.experimental.stateless_dropout(clicks, self.dropout, seed=[self.seed, step])

    def _apply(self, gradients: dict[str, Any], step: Any, rate: Any) -> None:
        """Update by Adam (Kingma & Ba, ICLR 2015) in one pass over the weights: TensorFlow's own kernel."""
        count = self.tf.cast(step + 1, self.tf.float32)
        for name, gradient in gradients.items():
            mean, square = (self.moments[f"{name}/{which}"].handle for which in ("mean", "square"))
            self.tf.raw_ops.ResourceApplyAdam(
                var=self.weights[name].handle, m=mean, v=square, beta1_power=BETA1**count, beta2_power=BETA2**count,
                lr=rate, beta1=BETA1, beta2=BETA2, epsilon=EPSILON, grad=gradient,
            )  # fmt: skip

    def _adam_on_rows(self, name: str, rows: Any, gradient: Any, step: Any, rate: Any) -> None:
        """Update some rows of a table by Adam, with the moments of these rows alone."""
        tf, count = self.tf, self.tf.cast(step + 1, self.tf.float32)
        mean, square = (self.moments[f"{name}/{which}"] for which in ("mean", "square"))
        new_mean = BETA1 * tf.gather(mean, rows) + (1 - BETA1) * gradient
        new_square = BETA2 * tf.gather(square, rows) + (1 - BETA2) * tf.square(gradient)
        speed = rate * tf.sqrt(1 - BETA2**count) / (1 - BETA1**count)
        mean.scatter_update(tf.IndexedSlices(new_mean, rows))
        square.scatter_update(tf.IndexedSlices(new_square, rows))
        change = speed * new_mean / (tf.sqrt(new_square) + EPSILON)
        self.weights[name].scatter_sub(tf.IndexedSlices(change, rows))

    def export(self) -> SessionEncoder:
        """Give the weights as the encoder that answers without TensorFlow."""
        raw = self._raw(self.weights["items"], *self.everything).numpy()
        vectors = raw / np.sqrt(np.square(raw).sum(axis=1, keepdims=True) + TINY)
        small = {name: value.numpy() for name, value in self.weights.items() if name not in TABLES}
        return SessionEncoder(vectors=vectors, **small)

    def encode(self, batch: Batch) -> Floats:
        """Encode a batch's histories with TensorFlow, to (n, dim): what the exported encoder is held against."""
        tf = self.tf
        raw = self._raw(self.weights["items"], *self.everything)
        clicks = tf.gather(raw / tf.sqrt(tf.reduce_sum(tf.square(raw), axis=1, keepdims=True) + TINY), batch.items)
        small = {name: value for name, value in self.weights.items() if name not in TABLES}
        return np.asarray(encode(tf, small, clicks, batch.owner, batch.ago, batch.last).numpy())

    def state(self) -> TrainingState:
        """Read all weights and moments, for a checkpoint."""
        return {name: value.numpy() for name, value in (self.weights | self.moments).items()}

    def restore(self, state: Mapping[str, Numbers]) -> None:
        """Set all weights and moments to those of a checkpoint."""
        for name, value in (self.weights | self.moments).items():
            value.assign(state[name])


def first_weights(items: int, dim: int, known: ItemFeatures, seed: int) -> dict[str, Floats]:
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
    return tf.math.l2_normalize(vectors, axis=1, epsilon=TINY)


def softmax(
    tf: Any, sessions: Any, vectors: Any, weights: Any, targets: Any, of: Any, scale: float
) -> tuple[Any, Any, Any, Any]:
    """Give the mean cross-entropy of the targets over all items, and its gradients.

    Target i follows session `of[i]`, in order; `weights` are those of the vectors in the softmax's sum, None where all
    are 1. Gradients are those to the sessions, to the vectors but for what a target adds to its own, and what it adds.
    """
    followed = tf.ones_like(targets, tf.float32)
    counts = tf.math.segment_sum(followed, of)[:, None]
    weight = scale / tf.reduce_sum(followed)
    shares = tf.exp(tf.matmul(sessions * scale, vectors, transpose_b=True))
    ones = tf.pad(vectors, [[0, 0], [0, 1]], constant_values=1.0)
    sums = tf.matmul(shares, ones if weights is None else ones * weights[:, None])
    totals = sums[:, -1:]
    wanted = tf.math.segment_sum(tf.gather(vectors, targets), of)
    logits = scale * tf.reduce_sum(sessions * wanted, axis=1, keepdims=True)
    loss = tf.reduce_sum(counts * tf.math.log(totals) - logits) / tf.reduce_sum(followed)
    to_sessions = weight * (counts * sums[:, :-1] / totals - wanted)
    to_vectors = tf.matmul(shares, sessions * (weight * counts / totals), transpose_a=True)
    to_vectors = to_vectors if weights is None else to_vectors * weights[:, None]
    return loss, to_sessions, to_vectors, -weight * tf.gather(sessions, of)
