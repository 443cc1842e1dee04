"""The UCI e-shop file (data set 553): clicks with a day and an order, and what is known of each item."""

import io
from pathlib import Path

import polars as pl

from pipeline.clicks.canonical import ROW
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError

CREDIT = (
    "Łapczyński M., Białowąs S. (2013), Clickstream data for online shopping, UCI Machine Learning Repository 553, "
    "DOI 10.24432/C5QK7X, CC BY 4.0; codes were given their names."
)
_HEADER = b"year;month;day;order;country;session ID"

# Codes as the data set's own description names them
_CATEGORIES = {"1": "trousers", "2": "skirts", "3": "blouses", "4": "sale"}
_KINDS = {"1": "trousers", "2": "skirt", "3": "blouse", "4": "sale item"}
_COLOURS = {
    1: "beige",
    2: "black",
    3: "blue",
    4: "brown",
    5: "burgundy",
    6: "gray",
    7: "green",
    8: "navy blue",
    9: "many-coloured",
    10: "olive",
    11: "pink",
    12: "red",
    13: "violet",
    14: "white",
}
_LOCATIONS = {
    1: "top left",
    2: "top middle",
    3: "top right",
    4: "bottom left",
    5: "bottom middle",
    6: "bottom right",
}
_PHOTOS = {1: "en face", 2: "profile"}


def is_eshop(raw: bytes) -> bool:
    """Tell whether a file's content is the e-shop's, by its header."""
    return raw.startswith(_HEADER)


def read(path: Path, raw: bytes) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Read raw clicks, item metadata and notes from the content of `path`."""
    try:
        frame = pl.read_csv(io.BytesIO(raw), separator=";", schema_overrides={"page 1 (main category)": pl.String})
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{path} is not the e-shop file that its header says: fetch it again.") from error
    day = pl.datetime("year", "month", "day", time_zone="UTC", time_unit="us")
    clicks = frame.select(
        pl.int_range(2, pl.len() + 2).alias(ROW),
        pl.col("session ID").alias(SESSION_ID),
        (day + pl.duration(minutes="order")).alias(TIMESTAMP),
        pl.col("page 2 (clothing model)").alias(ITEM_ID),
        pl.col("page 1 (main category)").replace(_CATEGORIES).alias(CATEGORY),
    )
    return clicks, _items(frame), ["A click's time is its day at 00:00 UTC plus its order in minutes.", CREDIT]


def _items(frame: pl.DataFrame) -> pl.DataFrame:
    def usual(column: str) -> pl.Expr:
        return pl.col(column).mode().sort().first()

    def named(column: str, names: dict[int, str]) -> pl.Expr:
        return usual(column).replace_strict(names, default=None, return_dtype=pl.String)

    item = pl.col("page 2 (clothing model)")
    facts = frame.group_by(item.alias(ITEM_ID)).agg(
        usual("page 1 (main category)").replace(_KINDS).alias("kind"),
        named("colour", _COLOURS).alias("colour"),
        usual("price").alias("price"),
        named("model photography", _PHOTOS).alias("photo"),
        named("location", _LOCATIONS).alias("location"),
        usual("page").alias("page"),
    )
    colour = pl.col("colour").str.head(1).str.to_uppercase() + pl.col("colour").str.slice(1)
    title = pl.concat_str(colour, "kind", ITEM_ID, separator=" ")
    return facts.with_columns(title.alias("name")).drop("kind").sort(ITEM_ID)
