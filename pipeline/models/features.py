"""What is known of an item besides its id – category, price, title words – as codes that an item's vector adds up."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.arrays import Ints
from pipeline.core.columns import CATEGORY_IDX, ITEM_ID, ITEM_IDX, POPULARITY, UNKNOWN_CATEGORY

BUCKETS = 10  # of a column of numbers, with as many items each
MOST_VALUES, MOST_WORDS = 1000, 5000  # of a column; the most frequent are kept
FEWEST = 2  # items that share a value: what one item alone has tells nothing of another
_NOT_FEATURES = {ITEM_ID, ITEM_IDX, CATEGORY_IDX, POPULARITY, "clicks", "train_clicks"}  # counts would leak the test
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Feature:
    """A column of the catalogue: its values, the words of its text, or the edges of its buckets."""

    column: str
    kind: str  # 'value', 'words' or 'bucket'
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.edges) + 1 if self.kind == "bucket" else len(self.values)

    def codes(self, table: pl.DataFrame) -> tuple[Ints, Ints]:
        """Give (rows, codes from 0), as many pairs a row as it has values that are known."""
        if self.column not in table.columns:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if self.kind == "bucket":
            numbers = table[self.column].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
            rows = np.flatnonzero(np.isfinite(numbers))
            return rows, np.searchsorted(np.array(self.edges), numbers[rows], side="right").astype(np.int64)
        number = {value: code for code, value in enumerate(self.values)}
        texts = table[self.column].cast(pl.String).to_list()
        pairs = [(row, number[v]) for row, text in enumerate(texts) for v in self._parts(text) if v in number]
        both = np.array(pairs, np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def _parts(self, text: str | None) -> Iterable[str]:
        if text is None or text == "":
            return ()
        return sorted(set(title_words(text))) if self.kind == "words" else (text,)


@dataclass(frozen=True)
class Features:
    """All features of a catalogue; their codes follow one another."""

    columns: tuple[Feature, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.columns))

    def codes(self, table: pl.DataFrame) -> tuple[Ints, Ints]:
        """Give (rows, codes) of all features together, sorted by row."""
        rows, codes, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for feature in self.columns:
            its_rows, its_codes = feature.codes(table)
            rows.append(its_rows)
            codes.append(its_codes + first)
            first += len(feature)
        all_rows, all_codes = np.concatenate(rows), np.concatenate(codes)
        order = np.lexsort((all_codes, all_rows))
        return all_rows[order], all_codes[order]

    def as_json(self) -> list[dict[str, Any]]:
        """Give what `from_json` reads."""
        return [asdict(feature) for feature in self.columns]

    @staticmethod
    def from_json(stored: list[dict[str, Any]]) -> "Features":
        """Read what `as_json` gave."""
        return Features(tuple(Feature(f["column"], f["kind"], tuple(f["values"]), tuple(f["edges"])) for f in stored))


def learn(catalogue: pl.DataFrame) -> Features:
    """Find the columns of a catalogue that tell something of its items."""
    found = (_feature(catalogue[name]) for name in catalogue.columns if name not in _NOT_FEATURES)
    return Features(tuple(feature for feature in found if feature is not None and len(feature) > 1))


def title_words(text: str) -> list[str]:
    """Split a title into lower-case words of two letters or more."""
    return _WORD.findall(text.lower())


def _feature(values: pl.Series) -> Feature | None:
    known = values.drop_nulls()
    if values.dtype.is_numeric() and known.n_unique() > 2 * BUCKETS:
        finite = known.cast(pl.Float64).to_numpy()
        edges = np.unique(np.quantile(finite[np.isfinite(finite)], np.arange(1, BUCKETS) / BUCKETS))
        return Feature(values.name, "bucket", edges=tuple(edges.tolist()))
    if not (values.dtype.is_integer() or values.dtype in (pl.String, pl.Categorical, pl.Boolean)):
        return None
    texts = known.cast(pl.String)
    texts = texts.filter(texts != UNKNOWN_CATEGORY)
    shared = _shared(texts, MOST_VALUES)
    if len(shared) > 1 and texts.is_in(shared).mean() >= 0.5:  # type: ignore[operator]
        return Feature(values.name, "value", tuple(shared))
    parts = pl.Series([w for text in texts for w in sorted(set(title_words(text)))], dtype=pl.String)
    return Feature(values.name, "words", tuple(_shared(parts, MOST_WORDS)))


def _shared(values: pl.Series, most: int) -> list[str]:
    """List the values that several items have, the most frequent first."""
    counts = values.alias("value").value_counts(name="n").filter(pl.col("n") >= FEWEST)
    return counts.sort("n", "value", descending=[True, False])["value"].head(most).to_list()
