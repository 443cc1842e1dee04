"""What the feature store holds of sessions and items, as tables: a key, the time it was true, and numbers.

Every feature is a float32, NaN where it is unknown: Merlin's QueryFeast takes neither text nor 64-bit floats, and fails
on a whole number that is missing.
"""

import hashlib
import re
from datetime import datetime

import numpy as np
import polars as pl

from pipeline.core.arrays import Ints
from pipeline.core.columns import CATEGORY_IDX, ITEM_IDX, PRICE, SESSION_ID, TIMESTAMP, TRAIN_CLICKS

SESSION_KEY, EVENT_TIME = "session_key", "event_timestamp"
SHARES = 10  # commonest categories whose share of a session is a feature
ITEM_FEATURES = (CATEGORY_IDX, TRAIN_CLICKS, "clicks_last_day", "clicks_last_week", PRICE, "age_days")
SESSION_FEATURES = ("length", "seconds", *(f"share_{n}" for n in range(1, SHARES + 1)), "last_item", "mean_price")


def session_keys(ids: pl.Series) -> Ints:
    """Give (n,) int64 keys of sessions."""
    if ids.dtype.is_integer():
        return ids.cast(pl.Int64).to_numpy()
    return np.array([session_key(text) for text in ids.cast(pl.String)], np.int64)


def session_key(session: str) -> int:
    """Give a session's key: its id where that is a whole number of 18 digits at most, else a hash of it (BLAKE2b)."""
    if re.fullmatch("-?(0|[1-9][0-9]{0,17})", session):
        return int(session)
    return int.from_bytes(hashlib.blake2b(session.encode(), digest_size=8).digest(), "little", signed=True)


def prices(catalogue: pl.DataFrame) -> pl.Expr:
    """Give the items' prices as float64, null where unknown."""
    if PRICE in catalogue.columns and catalogue[PRICE].dtype.is_numeric():
        return pl.col(PRICE).cast(pl.Float64)
    return pl.lit(None, pl.Float64)


def common_categories(catalogue: pl.DataFrame) -> list[int]:
    """List the commonest categories by clicks in training, the most clicked first, at most `SHARES`."""
    counted = catalogue.group_by(CATEGORY_IDX).agg(pl.col(TRAIN_CLICKS).fill_null(0).cast(pl.Int64).sum())
    ordered = counted.drop_nulls(CATEGORY_IDX).sort(TRAIN_CLICKS, CATEGORY_IDX, descending=[True, False])
    return [int(code) for code in ordered[CATEGORY_IDX].head(SHARES)]


def item_table(clicks: pl.DataFrame, catalogue: pl.DataFrame) -> pl.DataFrame:
    """Give a row an item: its features when training ended, from training's clicks."""
    end: datetime = clicks[TIMESTAMP].max()  # type: ignore[assignment]
    days = (end - pl.col(TIMESTAMP)).dt.total_nanoseconds() / 86_400e9
    counted = clicks.group_by(ITEM_IDX).agg(
        (days < 1).sum().alias("clicks_last_day"),
        (days < 7).sum().alias("clicks_last_week"),
        days.max().alias("age_days"),
    )
    table = catalogue.with_columns(prices(catalogue).alias(PRICE)).join(counted, on=ITEM_IDX, how="left")
    filled = table.with_columns(pl.col(TRAIN_CLICKS, "clicks_last_day", "clicks_last_week").fill_null(0))
    return _as_features(filled.sort(ITEM_IDX), ITEM_IDX, pl.lit(end), ITEM_FEATURES)


def session_table(clicks: pl.DataFrame, catalogue: pl.DataFrame, categories: list[int]) -> pl.DataFrame:
    """Give a row for each time at which a session clicked: its features then, from no later click.

    clicks: session_id, timestamp, item_idx, category_idx. Rows are ordered by session and time.
    """
    priced = catalogue.select(ITEM_IDX, prices(catalogue).alias(PRICE))
    ordered = clicks.sort(SESSION_ID, TIMESTAMP, maintain_order=True).join(
        priced, on=ITEM_IDX, how="left", maintain_order="left"
    )
    length = pl.int_range(1, pl.len() + 1).over(SESSION_ID)
    known = pl.col(PRICE).is_not_null().cum_sum().over(SESSION_ID)
    of_category = [
        ((pl.col(CATEGORY_IDX) == code).cum_sum().over(SESSION_ID) / length).alias(f"share_{n}")
        for n, code in enumerate(categories, 1)
    ]
    absent = [pl.lit(0.0).alias(f"share_{n}") for n in range(len(categories) + 1, SHARES + 1)]
    table = ordered.with_columns(
        length.alias("length"),
        ((pl.col(TIMESTAMP) - pl.col(TIMESTAMP).first().over(SESSION_ID)).dt.total_nanoseconds() / 1e9).alias(
            "seconds"
        ),
        *of_category,
        *absent,
        pl.col(ITEM_IDX).alias("last_item"),
        pl.when(known > 0).then(pl.col(PRICE).fill_null(0).cum_sum().over(SESSION_ID) / known).alias("mean_price"),
    )
    at_a_time = table.filter(
        pl.struct(SESSION_ID, TIMESTAMP).rle_id() != pl.struct(SESSION_ID, TIMESTAMP).rle_id().shift(-1, fill_value=-1)
    )
    keyed = at_a_time.with_columns(pl.Series(SESSION_KEY, session_keys(at_a_time[SESSION_ID])))
    return _as_features(keyed, SESSION_KEY, pl.col(TIMESTAMP), SESSION_FEATURES)


def _as_features(table: pl.DataFrame, key: str, time: pl.Expr, features: tuple[str, ...]) -> pl.DataFrame:
    numbers = [pl.col(name).cast(pl.Float32).fill_null(float("nan")) for name in features]
    return table.select(pl.col(key).cast(pl.Int64), time.cast(pl.Datetime("us")).alias(EVENT_TIME), *numbers)
