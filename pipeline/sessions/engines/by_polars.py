"""Encode and write by Polars: numbers are looked up by row, a slice of whole sessions at a time."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipeline.core.columns import CATEGORY_IDX, ITEM_IDX
from pipeline.sessions.dropping import CODE
from pipeline.sessions.splitting import PARTS, ClickSplit
from pipeline.sessions.vocabulary import Vocabulary
from pipeline.store.parquet import write_tables


def write(folder: Path, split: ClickSplit, vocabulary: Vocabulary, items: pl.DataFrame) -> None:
    """Write folder/train and folder/test: item_idx, category_idx, session_id, timestamp."""
    for part in PARTS:
        (folder / part).mkdir()
        write_tables(folder / part / "part_0.parquet", _tables(split, part, vocabulary))


def _tables(split: ClickSplit, part: str, vocabulary: Vocabulary) -> Iterator[pa.Table]:
    item_idx, category_idx = pl.Series(ITEM_IDX, vocabulary.item_idx), pl.Series(CATEGORY_IDX, vocabulary.category_idx)
    for clicks, _ in split.slices(part):
        numbers = [item_idx.gather(clicks[CODE]), category_idx.gather(clicks[CODE])]
        yield pl.DataFrame([*numbers, *clicks.drop(CODE)]).to_arrow()
