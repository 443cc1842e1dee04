"""Encode and write by Polars: numbers are looked up by row, a slice of whole sessions at a time."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pipeline.core.columns import CATEGORY_IDX, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.sessions.splitting import CODE, ClickSplit
from pipeline.sessions.vocabulary import Vocabulary


def write(folder: Path, split: ClickSplit, vocabulary: Vocabulary, items: pl.DataFrame) -> None:
    """Write folder/train and folder/test: item_idx, category_idx, session_id, timestamp."""
    item_idx, category_idx = pl.Series(ITEM_IDX, vocabulary.item_idx), pl.Series(CATEGORY_IDX, vocabulary.category_idx)
    for part in ("train", "test"):
        (folder / part).mkdir()
        writer: pq.ParquetWriter | None = None
        try:
            for clicks, _ in split.slices(part):
                table = pl.DataFrame(
                    [
                        item_idx.gather(clicks[CODE]),
                        category_idx.gather(clicks[CODE]),
                        clicks[SESSION_ID],
                        clicks[TIMESTAMP].dt.replace_time_zone(None).cast(pl.Datetime("ns")),
                    ]
                ).to_arrow()
                writer = writer or pq.ParquetWriter(folder / part / "part_0.parquet", table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
