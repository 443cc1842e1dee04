"""The published two-tower model: what it computes and how it learns, as Merlin Models does, without its cost.

A session's id and age on one side, an item's id and category on the other: embeddings of the sizes that Merlin infers,
each side through an MLP of 128 and 64 without an activation at its end; the other items of a batch are the negatives.
A test holds loss, weights' gradients and sizes against Merlin's own. An item that a batch has several times is encoded
and scored once; tables are updated as lazy_adam.py says.
"""

import itertools
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline.core.arrays import Floats, Ints
from pipeline.models.lazy_adam import AdamTable, ReadRows, Schedule, adam

LAYERS = (128, 64)
SIDES = {"query": ("age", "session"), "item": ("category", "item")}  # in the order of Merlin's names
_DEVIATION = 0.05  # of a table's first weights, cut at two of it, as in Merlin Models
_SAFE = 80.0  # logits below it need no shift before exp in float32
_COMPACT_ABOVE = 2**20  # rows
_BLOCK = 65_536  # rows drawn at once
Codes: TypeAlias = Ints | npt.NDArray[np.int32]  # millions of them want four bytes each


def table_dim(rows: int) -> int:
    """Give an embedding's size as Merlin Models infers it: twice the fourth root of the number of values."""
    return math.ceil(2 * rows**0.25)


@dataclass(frozen=True)
class ClickRows:
    """Clicks (n,): which session, of which age, clicked which item in which category."""

    session: Codes
    age: Codes
    item: Codes
    category: Codes

    def __len__(self) -> int:
        return len(self.item)

    def take(self, rows: Codes | slice) -> "ClickRows":
        """Keep some of the clicks."""
        return ClickRows(self.session[rows], self.age[rows], self.item[rows], self.category[rows])


class Mlp:
    """Two dense layers with a ReLU between them, and Adam's moments."""

    def __init__(self, random: np.random.Generator, width: int) -> None:
        """Draw the first weights as Keras does (Glorot uniform)."""
        self.weights: list[Floats] = []
        for low, high in itertools.pairwise((width, *LAYERS)):
            bound = math.sqrt(6 / (low + high))
            kernel = random.uniform(-bound, bound, (low, high)).astype(np.float32)
            self.weights += [kernel, np.zeros(high, np.float32)]
        self.moments = [(np.zeros_like(w), np.zeros_like(w)) for w in self.weights]

    def forward(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Take (n, width) to the hidden (n, 128) and the vectors (n, 64)."""
        kernel0, bias0, kernel1, bias1 = self.weights
        hidden = np.maximum(inputs @ kernel0 + bias0, 0)
        return hidden, hidden @ kernel1 + bias1

    def backward(self, inputs: Floats, hidden: Floats, to_vectors: Floats) -> tuple[Floats, list[Floats]]:
        """Give the gradients to the inputs and to the weights."""
        kernel0, _, kernel1, _ = self.weights
        to_hidden = (to_vectors @ kernel1.T) * (hidden > 0)
        weights = [inputs.T @ to_hidden, to_hidden.sum(axis=0), hidden.T @ to_vectors, to_vectors.sum(axis=0)]
        return to_hidden @ kernel0.T, weights

    def move(self, gradients: list[Floats], size: float) -> None:
        """Take one step of Adam."""
        for weight, (mean, square), gradient in zip(self.weights, self.moments, gradients, strict=True):
            adam(weight, mean, square, gradient, size)


@dataclass
class _Lookup:
    """Different rows of a table, and which of them each input has."""

    table: str
    read: ReadRows
    of: Ints


class PublishedNetwork:
    """Both towers, and the steps that train them."""

    def __init__(self, sizes: dict[str, int], schedule: Schedule, seed: int) -> None:
        """Draw the first weights of tables with `sizes` rows: session, age, item, category."""
        random = np.random.default_rng(seed)
        self.schedule, self.step = schedule, 0
        self.tables = {
            name: AdamTable(_first(random, rows, table_dim(rows)), compact=rows > _COMPACT_ABOVE)
            for name, rows in sizes.items()
        }
        self.towers = {side: Mlp(random, self._width(side)) for side in SIDES}

    def _width(self, side: str) -> int:
        return sum(self.tables[name].values.shape[1] for name in SIDES[side])

    def train(self, batch: ClickRows) -> float:
        """Take one step; give the batch's loss."""
        queries, pairs = self._look_up("query", batch.session, batch.age), _Pairs.of(batch)
        items = self._look_up("item", pairs.items, pairs.categories)
        query, item = self._inputs(queries), self._inputs(items)
        hidden_query, query_vectors = self.towers["query"].forward(query)
        hidden_item, item_vectors = self.towers["item"].forward(item)
        loss, to_query, to_item = softmax(query_vectors, item_vectors, pairs)
        self.step += 1
        self._move("query", queries, query, hidden_query, to_query)
        self._move("item", items, item, hidden_item, to_item)
        return loss

    def _look_up(self, side: str, ids: Codes, features: Codes) -> list[_Lookup]:
        found = []
        for name, rows in zip(SIDES[side], (features, ids), strict=True):
            different, of = np.unique(np.asarray(rows, np.int64), return_inverse=True)
            found.append(_Lookup(name, self.tables[name].read(different, self.schedule, self.step), of))
        return found

    def _inputs(self, lookups: list[_Lookup]) -> Floats:
        return np.hstack([one.read.values[one.of] for one in lookups])

    def _move(self, side: str, lookups: list[_Lookup], inputs: Floats, hidden: Floats, to_vectors: Floats) -> None:
        tower = self.towers[side]
        to_inputs, to_weights = tower.backward(inputs, hidden, to_vectors)
        tower.move(to_weights, self.schedule.sizes[self.step])
        begin = 0
        for one in lookups:
            width = one.read.values.shape[1]
            gradient = _added(to_inputs[:, begin : begin + width], one.of, len(one.read.rows))
            self.tables[one.table].move(one.read, gradient, self.schedule, self.step)
            begin += width

    def encode(self, side: str, ids: Codes, features: Codes) -> Floats:
        """Encode (n,) sessions and their ages, or items and their categories, to (n, 64), as of the last step."""
        vectors: Floats = self.towers[side].forward(self._inputs(self._look_up(side, ids, features)))[1]
        return vectors

    def judge(self, batch: ClickRows) -> tuple[float, float]:
        """Give the loss and recall@10 among the batch's items, as Merlin Models reports both."""
        pairs = _Pairs.of(batch)
        queries, items = (
            self.encode("query", batch.session, batch.age),
            self.encode("item", pairs.items, pairs.categories),
        )
        loss, _, _ = softmax(queries, items, pairs)
        return loss, float((ranks(queries, items, pairs) <= 10).mean())


def _first(random: np.random.Generator, rows: int, dim: int) -> Floats:
    """Draw from a normal distribution cut at two deviations; what lies outside is drawn evenly within."""
    values = np.empty((rows, dim), np.float32)
    for begin in range(0, rows, _BLOCK):
        block = random.standard_normal((min(_BLOCK, rows - begin), dim), np.float32)
        outside = np.abs(block) > 2
        block[outside] = random.uniform(-2, 2, int(outside.sum()))
        values[begin : begin + _BLOCK] = block * np.float32(_DEVIATION)
    return values


def _added(gradients: Floats, of: Ints, count: int) -> Floats:
    """Add up the gradients (n, dim) of inputs that have the same row, to (count, dim)."""
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(count))
    return np.add.reduceat(gradients[order], starts, axis=0)


@dataclass(frozen=True)
class _Pairs:
    """The different items (with their categories) of a batch of n clicks."""

    items: Ints  # (k,) sorted
    categories: Ints  # (k,)
    counts: Floats  # (k,) clicks on each
    own: Ints  # (n,) that of each click
    rows: Ints  # with `columns`: which pairs are a click's own item, in whatever category: no negatives
    columns: Ints

    @staticmethod
    def of(batch: ClickRows) -> "_Pairs":
        size = int(batch.category.max()) + 1
        codes, own, counts = np.unique(
            batch.item.astype(np.int64) * size + batch.category, return_inverse=True, return_counts=True
        )
        items = codes // size
        low, end = (np.searchsorted(items, batch.item, side) for side in ("left", "right"))
        rows = np.repeat(np.arange(len(batch)), end - low)
        offsets = np.cumsum(end - low) - (end - low)
        columns = np.arange(len(rows)) - offsets[rows] + low[rows]
        return _Pairs(items, codes % size, counts.astype(np.float32), own, rows, columns)


def softmax(queries: Floats, items: Floats, pairs: _Pairs) -> tuple[float, Floats, Floats]:
    """Give the mean cross-entropy of each click among its own item and all others of the batch, and its gradients."""
    n, each = len(queries), np.arange(len(queries))
    shares = queries @ items.T
    own = shares[each, pairs.own]
    if math.sqrt(float(np.square(queries).sum(axis=1).max()) * float(np.square(items).sum(axis=1).max())) > _SAFE:
        highest = shares.max(axis=1)
        shares -= highest[:, None]
        own = own - highest
    np.exp(shares, out=shares)
    shares[pairs.rows, pairs.columns] = 0
    shares[each, pairs.own] = np.exp(own) / pairs.counts[pairs.own]  # counted once, below
    counted = np.hstack([items, np.ones((len(items), 1), np.float32)]) * pairs.counts[:, None]
    sums = shares @ counted
    totals = sums[:, -1]
    loss = float(np.mean(np.log(totals) - own))
    to_queries = (sums[:, :-1] / totals[:, None] - items[pairs.own]) / np.float32(n)
    to_items = (shares.T @ (queries / (totals * np.float32(n))[:, None])) * pairs.counts[:, None]
    to_items -= _added(queries, pairs.own, len(items)) / np.float32(n)
    return loss, to_queries, to_items


def ranks(queries: Floats, items: Floats, pairs: _Pairs) -> Ints:
    """Give the rank (n,) of each click's own item among the batch's others, from 1."""
    scores = queries @ items.T
    own = scores[np.arange(len(queries)), pairs.own][:, None]
    higher = scores > own
    higher[pairs.rows, pairs.columns] = False
    return np.asarray(1 + higher @ pairs.counts, np.int64)
