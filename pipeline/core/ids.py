"""Ids as a person names several of them, and ids of tables of different times side by side."""

from collections.abc import Container, Sequence

import polars as pl


def parts(value: str) -> list[str]:
    """Split a value at its commas; what is empty is left out."""
    return [part for part in (p.strip() for p in value.split(",")) if part]


def candidates(values: Sequence[str]) -> list[str]:
    """List every id that the values may name: each as it is, and its parts."""
    return list(dict.fromkeys(i for value in values for i in (value, *parts(value)) if i.strip()))


def named_ids(values: Sequence[str], known: Container[str]) -> list[str]:
    """List the ids that the values name: a value that is known is one id, also where its parts are; else its parts."""
    return [i for value in values for i in ([value] if value in known else parts(value))]


def matched(rows: pl.DataFrame, known: pl.DataFrame, on: str) -> pl.DataFrame:
    """Add to `rows` (n), in their order, what `known` has of the same id; null where it has none.

    Ids are whole numbers where all of a log's are, so their type may change with new clicks; as text they compare.
    """
    text = pl.col(on).cast(pl.String).alias("_id")
    other = known.with_columns(text).drop(on)
    return rows.with_columns(text).join(other, on="_id", how="left", maintain_order="left").drop("_id")
