"""What is known of items besides their clicks: columns typed as a careful reader would, under names of their own."""

import polars as pl

from pipeline.core.columns import CATEGORY, ITEM_ID, RESERVED

_WHOLE = r"^(0|-?[1-9]\d{0,17})$"
_DECIMAL = r"^-?((0|[1-9]\d{0,14})|(0|[1-9]\d*)\.\d*|\.\d+)(([eE][+-]|e)\d+)?$"  # never '007', nor the code '12E4'
_MISSING = ("nan", "null", "none", "n/a", "na")  # among numbers and booleans; a brand may well be called None
_NUMBERED = {"id", "ids", "code", "sku", "ean", "gtin", "upc", "isbn", "asin", "zip", "postcode", "phone"}
_PLAIN = (pl.String, pl.Boolean, pl.Date, pl.Datetime, pl.Time)


def typed(items: pl.DataFrame) -> pl.DataFrame:
    """Type the text columns of delimited text as whole numbers, decimals or booleans; what is empty is null.

    The item's id and its category stay text, as do numbers that begin with zeros and columns called after an id or a
    code: they name something, and nothing can be reckoned with them.
    """
    return items.with_columns(
        _typed(items[name]) for name in items.columns if name != ITEM_ID and items[name].dtype == pl.String
    )


def _typed(column: pl.Series) -> pl.Series:
    text = column.str.strip_chars()
    known = text.set(text == "", None)
    plain = column.set(known.is_null(), None)
    if column.name == CATEGORY or _last_word(column.name) in _NUMBERED:
        return plain
    known = known.set(known.str.to_lowercase().is_in(_MISSING), None)
    if known.null_count() == len(known):
        return plain
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return known.str.to_lowercase() == "true"
    for pattern, dtype in ((_WHOLE, pl.Int64), (_DECIMAL, pl.Float64)):
        if known.str.contains(pattern).all():
            return known.cast(dtype)
    return plain


def _last_word(name: str) -> str:
    """Give the last word of 'brand_id', 'Brand ID' or 'brandId', in lower case."""
    parted = pl.Series([name]).str.replace_all(r"([a-z])([A-Z])", "${1} ${2}").str.to_lowercase()[0]
    return str(parted).replace("_", " ").replace("-", " ").split(" ")[-1]


def usable_metadata(items: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Keep what a table, a card and a line of CSV can show, under names that are not the product's own; give notes.

    Nested and binary columns are left out. A number that is not finite is null, a decimal becomes a float.
    """
    kept = items.select(_plain(column) for column in items if _is_plain(column.dtype))
    left_out = [name for name in items.columns if name not in kept.columns]
    names = _renamed(kept.columns)
    notes = [f"Metadata '{name}' is {items[name].dtype}, which no card shows: left out." for name in left_out]
    notes += [
        f"Metadata '{old}' is called '{new}': '{old}' is a name of the product's own." for old, new in names.items()
    ]
    return kept.rename(names), notes


def _is_plain(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in (*_PLAIN, pl.Categorical, pl.Enum, pl.Null)


def _plain(column: pl.Series) -> pl.Series:
    if column.dtype.is_decimal() or column.dtype.is_float():
        numbers = column.cast(pl.Float64)
        return numbers.set(~numbers.is_finite(), None)
    return column if column.dtype in _PLAIN or column.dtype.is_integer() else column.cast(pl.String)


def _renamed(names: list[str]) -> dict[str, str]:
    """Give a free name to each that is reserved; the item's id and its category are what they are called."""
    taken, renamed = {*names, *RESERVED}, {}
    for name in names:
        if name in RESERVED and name not in (ITEM_ID, CATEGORY):
            free = f"meta_{name.lstrip('_$')}"
            while free in taken:
                free = f"meta_{free}"
            taken.add(free)
            renamed[name] = free
    return renamed
