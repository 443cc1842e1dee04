"""Tables of different times side by side: an id that was a whole number may be text in clicks that came later."""

import polars as pl


def matched(rows: pl.DataFrame, known: pl.DataFrame, on: str) -> pl.DataFrame:
    """Add to `rows` (n), in their order, what `known` has of the same id; null where it has none.

    Ids are whole numbers where all of a log's are, so their type may change with new clicks; as text they compare.
    """
    text = pl.col(on).cast(pl.String).alias("_id")
    other = known.with_columns(text).drop(on)
    return rows.with_columns(text).join(other, on="_id", how="left", maintain_order="left").drop("_id")
