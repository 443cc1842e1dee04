"""Parquet files: Polars reads them, Arrow those that Polars cannot (names that stand twice, zones like -03:30)."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.clicks.table import Table, unique_names
from pipeline.core.errors import UserError

_DAMAGED = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def column_names(path: Path, raw: bytes) -> list[str]:
    """List the columns, those that stand twice as often as they do; raise UserError for a damaged file."""
    return [str(name) for name in _schema(path, raw).names]


def read_parquet_table(path: Path, raw: bytes, columns: Sequence[int] | None = None) -> Table:
    """Read the columns at `columns`, from 0, or all; they are named by position, or as they are where all are read."""
    schema = _schema(path, raw)
    names = list(schema.names)
    wanted = list(range(len(names))) if columns is None else list(columns)
    labels = unique_names(names) if columns is None else [str(at) for at in wanted]
    try:
        if len(set(names)) == len(names) and not any(_beyond_polars(field.type) for field in schema):
            chosen = None if columns is None else list(dict.fromkeys(names[at] for at in wanted))
            frame = pl.read_parquet(io.BytesIO(raw), columns=chosen)
            series = [frame[names[at]].alias(label) for at, label in zip(wanted, labels, strict=True)]
        else:
            series = _through_arrow(raw, wanted, labels)
    except _DAMAGED as error:
        raise UserError(f"{path} is a damaged Parquet file ({_first_line(error)}): write it again.") from error
    return Table(path, pl.DataFrame(series), "row", lambda positions: [position + 1 for position in positions])


def _schema(path: Path, raw: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(io.BytesIO(raw)).schema_arrow
    except pa.ArrowNotImplementedError:
        return _polars_schema(path, raw)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is a damaged Parquet file ({_first_line(error)}): write it again.") from error


def _polars_schema(path: Path, raw: bytes) -> Any:
    """Give the schema of types that only Polars has, such as whole numbers of 128 bits."""
    import pyarrow as pa

    try:
        return pa.schema([(name, pa.null()) for name in pl.read_parquet_schema(io.BytesIO(raw))])
    except _DAMAGED as error:
        raise UserError(f"{path} is a damaged Parquet file ({_first_line(error)}): write it again.") from error


def _beyond_polars(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_decimal256(kind):
        return True
    return pa.types.is_timestamp(kind) and kind.tz is not None and not _known_zone(kind.tz)


def _known_zone(name: str) -> bool:
    from zoneinfo import available_timezones

    return name in available_timezones() or bool(re.fullmatch(r"[+-](0\d|1[0-2]):00", name))


def _through_arrow(raw: bytes, wanted: list[int], labels: list[str]) -> list[pl.Series]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(io.BytesIO(raw)).read()
    series = []
    for at, label in zip(wanted, labels, strict=True):
        column = table.column(at)
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            column = column.cast(pa.timestamp(column.type.unit, "UTC"))
        elif pa.types.is_decimal256(column.type):
            column = _narrow(column)
        series.append(pl.Series(label, pl.from_arrow(column)))
    return series


def _narrow(column: Any) -> Any:
    """Keep a decimal of 256 bits as one of 128, as text where its numbers are too large for that."""
    import pyarrow as pa

    if 0 <= column.type.scale <= 38:
        try:
            return column.cast(pa.decimal128(38, column.type.scale))
        except pa.ArrowInvalid:
            pass
    return column.cast(pa.string())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
