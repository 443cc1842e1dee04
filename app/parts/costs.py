"""What an index costs a month: its memory and some cores by a list of prices that can be edited."""

import re
from dataclasses import asdict

import streamlit as st

from app import state, url
from app.errors import errors
from pipeline.bench.analysis import prices
from pipeline.bench.analysis.prices import Price
from pipeline.core.text import usd

_CORES = 2  # of a server that does nothing else
_MOST_CORES = 512


def chosen() -> tuple[Price, int]:
    """Give the prices and the number of cores that the page's URL names, else the first list and two cores."""
    known = [price.name for price in prices.load_prices(state.workspace())]
    price = prices.find_prices(state.workspace(), url.value("prices", known[0], url.one_of(known)))
    return price, cores() or _CORES


def cores() -> int | None:
    """Give the number of cores that the page's URL names, None where it names none."""
    return url.value("cores", None, url.whole(1, _MOST_CORES))


def edit() -> None:
    """Draw the choice of prices and cores, and the list to edit."""
    price, count = chosen()
    with (
        st.expander(f"What a month costs: prices “{price.name}”, {count} cores", icon=":material/payments:"),
        errors(),
    ):
        rows = prices.load_prices(state.workspace())
        names = [row.name for row in rows]
        left, right = st.columns(2)
        left.selectbox("Prices", names, **url.choice("prices", names[0], names))
        shown = url.bound("cores", _CORES, url.whole(1, _MOST_CORES))
        right.number_input("Cores", 1, _MOST_CORES, help="Of the server; memory is the index's own.", **shown)
        st.caption(f"{sources(price)} 730 hours a month, in USD.")
        edited = st.data_editor([asdict(row) for row in rows], hide_index=True, num_rows="dynamic", key="price-list")
        if st.button("Save these prices"):
            prices.save(state.workspace(), [Price(**row) for row in edited])
            st.toast("These prices are saved in the workspace.", icon=":material/check_circle:")
            st.rerun()


def sources(price: Price) -> str:
    """Say where a list's prices come from, and of which day they are."""
    gpu = f"\\{usd(price.gpu_hour_usd)} an hour, {origin(price, 'gpu')}" if price.gpu_hour_usd else "no price yet"
    return f"Cores and memory: {origin(price)}. An instance with a GPU: {gpu}."


def origin(price: Price, device: str = "cpu") -> str:
    """Say where one of them comes from, in Markdown: an address is a link with its host as text."""
    return re.sub(r"https://([^/\s,]+)[^\s,;]*", r"[\1](\g<0>)", prices.prices_origin(price, device))


def monthly(memory_bytes: float) -> str:
    """Write what a month of an index costs, as '$49.20'."""
    price, cores = chosen()
    return usd(prices.monthly_usd(price, memory_bytes, cores))
