"""Categories of items as models are to see them: one spelling each, and none where a name says nothing or is rare."""

import polars as pl

from pipeline.core.columns import CATEGORY, CLICKS, NO_CATEGORY
from pipeline.sessions.config import PreprocessConfig

_ALIKE, _ITEMS = "_alike", "_items"


def cleaned(items: pl.DataFrame, config: PreprocessConfig) -> tuple[pl.DataFrame, str]:
    """Give the items with the categories that `config` asks for, and a sentence for the user, '' without a change.

    items: item_id, category, clicks and others; rows and their order stay.
    """
    found = items
    if config.clean_categories:
        found = _spelled(found)
    if config.min_category_count > 1:
        found = _frequent(found, config.min_category_count)
    if found is items:
        return items, ""
    before, after = (frame[CATEGORY].drop_nulls().n_unique() for frame in (items, found))
    without = found[CATEGORY].null_count()
    return found, f"{before:,} categories became {after:,}; {without:,} of {items.height:,} items have none."


def _spelled(items: pl.DataFrame) -> pl.DataFrame:
    """Give categories that differ in case or spaces the spelling with the most clicks, the first by name of equals."""
    text = pl.col(CATEGORY).cast(pl.String).str.strip_chars().str.replace_all(r"\s+", " ")
    items = items.with_columns(text.alias(CATEGORY))
    nothing = pl.col(CATEGORY).is_in(["", *NO_CATEGORY])
    items = items.with_columns(pl.when(~nothing).then(pl.col(CATEGORY)).alias(CATEGORY))
    items = items.with_columns(pl.col(CATEGORY).str.to_lowercase().alias(_ALIKE))
    clicked = items.drop_nulls(CATEGORY).group_by(_ALIKE, CATEGORY).agg(pl.col(CLICKS).sum())
    spelling = clicked.sort(CLICKS, CATEGORY, descending=[True, False]).unique(_ALIKE, keep="first")
    joined = items.drop(CATEGORY).join(spelling.select(_ALIKE, CATEGORY), on=_ALIKE, how="left", maintain_order="left")
    return joined.select(name for name in items.columns if name != _ALIKE)


def _frequent(items: pl.DataFrame, fewest: int) -> pl.DataFrame:
    often = pl.len().over(CATEGORY) >= fewest
    return items.with_columns(pl.when(often).then(pl.col(CATEGORY)).alias(CATEGORY))
