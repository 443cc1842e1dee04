"""The Recommend page's folded filter: it writes an expression, which the page's link keeps."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from app import url
from pipeline.core.columns import CATEGORY, PRICE
from pipeline.core.text import category, number
from pipeline.indexes.filters import FilterChoice, compose, read_choice
from pipeline.indexes.known import KnownItems

_CATEGORIES, _PRICES, _POPULARITY = "filter_categories", "filter_prices", "filter_popularity"


def control(known: KnownItems, columns: Sequence[str]) -> str:
    """Draw the control for an index with these columns; give the expression, '' where nothing is filtered."""
    asked = url.value("filter", "", url.text)
    with st.expander("Filter", icon=":material/filter_alt:"):
        if not columns:
            st.caption("This index has no columns to filter by: rebuild it on the Index page.")
            return asked
        categories, prices = _offered(known.catalogue, known.key)
        prices = prices if PRICE in columns else None
        choice = read_choice(asked)
        if choice is None or not _fits(choice, categories, prices):
            return _written(asked)
        _choose(choice, categories, prices)
        if asked:
            st.code(asked, language=None)
        return asked


def _choose(choice: FilterChoice, categories: list[str], prices: tuple[float, float] | None) -> None:
    """Draw a field for each part of a choice; one that is changed writes the expression of all into the URL."""
    left, middle, right = st.columns(3)
    shown: Any = {"on_change": _changed, "args": (prices,)}
    st.session_state[_CATEGORIES] = list(choice.categories)
    left.multiselect("Category", categories, key=_CATEGORIES, placeholder="Any", format_func=_named, **shown)
    if prices is not None:
        low, high = prices
        between = (choice.cheapest, choice.dearest)
        st.session_state[_PRICES] = tuple(end if at is None else at for at, end in zip(between, prices, strict=True))
        middle.slider("Price, $", low, high, key=_PRICES, **shown)
    st.session_state[_POPULARITY] = choice.popularity or 0
    right.number_input("Minimum popularity", 0, key=_POPULARITY, help="Clicks on the item in training.", **shown)


def _named(value: str) -> str:
    return category(value) or "no category"


def _changed(prices: tuple[float, float] | None) -> None:
    """Write what the fields say; the ends of the prices stand for any price."""
    chosen: Any = st.session_state
    bottom, top = chosen[_PRICES] if prices else (None, None)
    low, high = prices or (None, None)
    choice = FilterChoice(
        tuple(chosen[_CATEGORIES]),
        None if bottom == low else bottom,
        None if top == high else top,
        int(chosen[_POPULARITY]) or None,
    )
    url.put(filter=compose(choice))


def _written(expression: str) -> str:
    """Show an expression that somebody wrote, which the fields cannot; it is used as it is."""
    st.code(expression, language=None)
    st.button("Clear the filter", icon=":material/close:", on_click=url.put, kwargs={"filter": None})
    return expression


@st.cache_resource(max_entries=4, show_spinner=False)
def _offered(_catalogue: pl.DataFrame, key: str) -> tuple[list[str], tuple[float, float] | None]:
    """Give the categories and the range of the prices of the catalogue of the training called `key`."""
    return sorted(_catalogue[CATEGORY].drop_nulls().unique().to_list()), _range(_catalogue)


def _range(catalogue: pl.DataFrame) -> tuple[float, float] | None:
    """Give the lowest and the highest price; None where there are none, or only one."""
    prices = catalogue[PRICE].drop_nulls() if PRICE in catalogue.columns else pl.Series(dtype=pl.Float64)
    low, high = prices.min(), prices.max()
    return (float(low), float(high)) if low != high else None  # type: ignore[arg-type]


def _fits(choice: FilterChoice, categories: list[str], prices: tuple[float, float] | None) -> bool:
    bounds = [price for price in (choice.cheapest, choice.dearest) if price is not None]
    within = not bounds if prices is None else all(prices[0] <= price <= prices[1] for price in bounds)
    return within and set(choice.categories) <= set(categories)


def caption(filtered: dict[str, Any]) -> str:
    """Say in one line what a filter lets through and how good the answer is among that."""
    text = (
        f"Filter: {number(filtered['matching'])} of {number(filtered['rows'])} items "
        f"({number(100 * filtered['selectivity'])} %) match"
    )
    return text if filtered["recall"] is None else f"{text}; recall among them {number(filtered['recall'])}"
