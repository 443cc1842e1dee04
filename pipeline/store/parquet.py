"""One Parquet file of tables that come one after the other, so that not all of them are held at once."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_tables(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write tables of one schema as row groups of one file; give the number of rows. No table: no file."""
    writer: pq.ParquetWriter | None = None
    rows = 0
    try:
        for table in tables:
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows
