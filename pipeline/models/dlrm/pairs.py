"""Features of a session and a candidate item together: what retrieval said of it, and what the clicks say."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.core.arrays import Flags, Floats, Ints, Numbers
from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_IDX, OUT_OF_VOCABULARY, PRICE
from pipeline.metrics.ranking import Scores, top
from pipeline.models.baselines.item_to_item import ItemKnnConfig, RulesConfig, rules, similarities
from pipeline.models.contract import Model
from pipeline.sessions import sparse
from pipeline.sessions.histories import Histories

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Both in the order of their names, as Merlin Models sorts them
CATEGORICAL = ("category", "item", "last_category", "last_item")
CONTINUOUS = (
    "category_share",  # of the session's clicks in the item's category
    "clicks",  # logarithm of the session's length
    "log_rank",  # its logarithm, 1 for the hundredth
    "popularity",  # logarithm of the clicks in training, 1 for the most clicked item
    "price",  # how many times dearer than the last click, as a logarithm; 0 where unknown
    "rank",  # 1 / retrieval's rank
    "recency",  # 1 / clicks since the session clicked it, that one included; 0 where it did not
    "rule",  # how much of what follows the last click is this item
    "rule_before",  # the same of the click before
    "same_category",  # as the last click
    "score",  # of retrieval, in standard deviations of the session's candidates
    "similar",  # ItemKNN's similarity to the last click
    "similar_all",  # to all clicks, the later the more
)
_FAR, _LAST = 5.0, 100
_BLOCK = 2048


@dataclass(frozen=True)
class RetrievedItems:
    """k items for each of n sessions; -1 where there are fewer."""

    items: Ints  # (n, k) columns of the catalogue
    scores: Floats  # (n, k) retrieval's scores, in standard deviations of what it retrieved for the session
    ranks: Ints  # (n, k) retrieval's ranks from 1; one more than it retrieves for the others

    def take(self, rows: Ints, columns: Ints) -> "RetrievedItems":
        """Pick candidates (n', k') of sessions (n',)."""
        at = rows[:, None], columns
        return RetrievedItems(self.items[at], self.scores[at], self.ranks[at])


@dataclass(frozen=True)
class CandidateItems:
    """What is known of candidates themselves, each (n, k): from the catalogue, or from a feature store."""

    codes: Ints  # item_idx, or that of what is out of the vocabulary
    popularity: Floats
    categories: Ints  # category_idx
    prices: Floats  # logarithms, nan where unknown


@dataclass(frozen=True)
class PairTables:
    """What the features are looked up in."""

    rules: "csr_matrix"  # (items + 1, items) shares of what follows, the last row empty
    similar: "csr_matrix"  # (items + 1, items)
    codes: Ints  # (items,) item_idx, or that of what is out of the vocabulary
    popularity: Floats  # (items,)
    categories: Ints  # (items,) category_idx
    prices: Floats  # (items,) logarithms, nan where unknown
    most_clicks: int  # in training, of any item
    min_clicks: int  # of an item that has a code of its own

    @staticmethod
    def of(clicks: pl.DataFrame, catalogue: pl.DataFrame, min_clicks: int) -> "PairTables":
        """Count in training clicks; catalogue: item_idx, category_idx, train_clicks and, where there is one, price.

        Items with fewer than `min_clicks` have the code of what is out of the vocabulary.
        """
        items = catalogue.height
        counted = rules(clicks, items, RulesConfig())
        total = np.maximum(np.asarray(counted.sum(axis=1)).ravel(), 1e-6)
        counted.data /= total[np.repeat(np.arange(items), np.diff(counted.indptr))]
        similar = similarities(clicks, items, ItemKnnConfig())
        for matrix in (counted, similar):
            matrix.resize(items + 1, items)
        return PairTables(counted, similar, *_about(catalogue, min_clicks))

    def save(self, folder: Path) -> None:
        """Write what was counted."""
        sparse.save(folder / "rules.npz", self.rules)
        sparse.save(folder / "similar.npz", self.similar)

    @staticmethod
    def load(folder: Path, catalogue: pl.DataFrame, min_clicks: int) -> "PairTables":
        """Read what was counted."""
        counted, similar = sparse.load(folder / "rules.npz"), sparse.load(folder / "similar.npz")
        return PairTables(counted, similar, *_about(catalogue, min_clicks))

    def kept(self, items: Ints) -> CandidateItems:
        """Give what the catalogue of training says of (n, k) items."""
        return CandidateItems(self.codes[items], self.popularity[items], self.categories[items], self.prices[items])

    def given(self, items: Ints, category_idx: Floats, train_clicks: Floats, price: Floats) -> CandidateItems:
        """Read what a feature store says of (n, k) items as training reads the catalogue; NaN: it says nothing."""
        clicks = np.nan_to_num(train_clicks)
        codes = np.where(clicks >= self.min_clicks, items + FIRST_IDX, OUT_OF_VOCABULARY)
        known = np.where(np.isnan(category_idx), OUT_OF_VOCABULARY, category_idx)
        categories = np.clip(known, 0, self.categories.max()).astype(np.int64)
        return CandidateItems(codes, _popularity(clicks, self.most_clicks), categories, _logarithms(price))

    def continuous(self, histories: Histories, found: RetrievedItems, about: CandidateItems | None = None) -> Floats:
        """Give (n, k, len(CONTINUOUS)) float32; `about` the candidates the catalogue speaks where nothing is given."""
        n, k = found.items.shape
        items = np.maximum(found.items, 0)
        about = about or self.kept(items)
        last, before = (_ago(histories, back, len(self.popularity)) for back in (0, 1))
        rows, columns, ago = sparse.clicked(histories)
        shape = (n, len(self.popularity))
        fresh = sparse.table(rows, columns, (1 / (ago + 1)).astype(np.float32), shape) @ self.similar[:-1]
        known = np.where(last < len(self.popularity), last, 0)
        lengths = np.maximum(histories.end - histories.low, 1)
        dearer = about.prices - self.prices[known][:, None]
        features = {
            "score": np.clip(found.scores, -_FAR, _FAR),
            "rank": 1 / found.ranks,
            "log_rank": np.log(found.ranks) / np.log(_LAST),
            "rule": _look_up(self.rules, last, items),
            "rule_before": _look_up(self.rules, before, items),
            "similar": _look_up(self.similar, last, items),
            "similar_all": _look_up(fresh.tocsr(), np.arange(n), items),
            "popularity": about.popularity,
            "same_category": about.categories == self.categories[known][:, None],
            "category_share": self._category_share(rows, columns, about.categories) / lengths[:, None],
            "price": np.nan_to_num(dearer),
            "recency": _recency(rows, columns, ago, items),
            "clicks": np.broadcast_to(np.log1p(lengths)[:, None] / 3, (n, k)),
        }
        return np.stack([np.asarray(features[name], np.float32) for name in CONTINUOUS], axis=2)

    def categorical(self, histories: Histories, found: RetrievedItems, about: CandidateItems | None = None) -> Ints:
        """Give (n, k, len(CATEGORICAL)) codes as NVTabular numbers them; 0 where there is no click."""
        items, last = np.maximum(found.items, 0), _ago(histories, 0, -1)
        about = about or self.kept(items)
        item, category = (np.where(last < 0, 0, known[last]) for known in (self.codes, self.categories))
        columns = (about.categories, about.codes, category[:, None], item[:, None])
        return np.stack([np.broadcast_to(c, items.shape) for c in columns], axis=2)

    def _category_share(self, rows: Ints, columns: Ints, categories: Ints) -> Floats:
        shape = (len(categories), int(self.categories.max()) + 1)
        counts = sparse.table(rows, self.categories[columns], np.ones(len(rows), np.float32), shape)
        return _look_up(counts, np.arange(len(categories)), categories)


def retrieve(model: Model, histories: Histories, k: int, others: Ints | None = None) -> RetrievedItems:
    """Give each session the `k` items that a model scores highest, and the `others` (n, m) beside them."""
    parts = []
    for low in range(0, len(histories), _BLOCK):
        rows = slice(low, min(low + _BLOCK, len(histories)))
        parts.append(_retrieve(model.score(histories.take(rows)), k, None if others is None else others[rows]))
    return RetrievedItems(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(RetrievedItems)))


def _retrieve(scores: Scores, k: int, others: Ints | None) -> RetrievedItems:
    best = top(scores, k)
    rows = np.arange(len(best))[:, None]
    found = _look_up(scores, rows[:, 0], np.maximum(best, 0))
    mean, spread = _mean_and_spread(found, best >= 0)
    ranks = np.broadcast_to(np.arange(1, best.shape[1] + 1), best.shape)
    if others is not None:
        same = others[:, :, None] == best[:, None, :]
        ranks = np.hstack([ranks, np.where(same.any(axis=2), same.argmax(axis=2) + 1, k + 1)])
        found = np.hstack([found, _look_up(scores, rows[:, 0], others)])
        best = np.hstack([best, others])
    return RetrievedItems(best, ((found - mean) / spread).astype(np.float32), ranks)


def retrieved(items: Ints, scores: Floats) -> RetrievedItems:
    """Read what an index found, best first, as `retrieve` gives it; items (n, k) are -1 where there are fewer."""
    mean, spread = _mean_and_spread(scores, items >= 0)
    ranks = np.broadcast_to(np.arange(1, items.shape[1] + 1), items.shape)
    return RetrievedItems(items, ((scores - mean) / spread).astype(np.float32), ranks)


def _mean_and_spread(scores: Floats, there: Flags) -> tuple[Floats, Floats]:
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    mean = np.where(there, scores, 0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt(np.where(there, (scores - mean) ** 2, 0).sum(axis=1, keepdims=True) / count)
    return mean, np.maximum(spread, 1e-6)


def _about(catalogue: pl.DataFrame, min_clicks: int) -> tuple[Ints, Floats, Ints, Floats, int, int]:
    clicks = catalogue["train_clicks"].fill_null(0).to_numpy()
    codes = np.where(clicks >= min_clicks, catalogue[ITEM_IDX].to_numpy(), OUT_OF_VOCABULARY).astype(np.int64)
    most = int(clicks.max())
    categories = catalogue[CATEGORY_IDX].to_numpy().astype(np.int64)
    prices = np.full(catalogue.height, np.nan)
    if PRICE in catalogue.columns and catalogue[PRICE].dtype.is_numeric():
        prices = catalogue[PRICE].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return codes, _popularity(clicks, most), categories, _logarithms(prices), most, min_clicks


def _popularity(clicks: Numbers, most: int) -> Floats:
    return np.asarray(np.log1p(clicks, dtype=np.float64) / np.log1p(max(most, 1)), np.float32)


def _logarithms(prices: Numbers) -> Floats:
    return np.asarray(np.log(np.maximum(prices, 0.01), dtype=np.float64), np.float32)


def _ago(histories: Histories, back: int, missing: int) -> Ints:
    """Give the column (n,) of the click that is `back` before the last, or `missing`."""
    at = histories.end - 1 - back
    columns = np.append(histories.items - FIRST_IDX, missing)
    return columns[np.where(at >= histories.low, at, len(histories.items))]


def _look_up(matrix: Scores, rows: Ints, columns: Ints) -> Floats:
    """Read the values at (row, column) of (n,) rows and (n, k) columns."""
    repeated = np.repeat(rows, columns.shape[1])
    return np.asarray(matrix[repeated, columns.ravel()], np.float32).reshape(columns.shape)


def _recency(rows: Ints, columns: Ints, ago: Ints, items: Ints) -> Floats:
    """Give 1 / (clicks since + 1) of each candidate that its session clicked."""
    width = int(max(items.max(initial=0), columns.max(initial=0))) + 1
    keys, newest = np.unique((rows * width + columns)[::-1], return_index=True)
    if not len(keys):
        return np.zeros(items.shape, np.float32)
    since = ago[::-1][newest]
    asked = np.arange(len(items))[:, None] * width + items
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[at] == asked, 1 / (since[at] + 1), 0).astype(np.float32)
