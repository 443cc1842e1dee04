"""Map: the items as the model sees them, with a session's path over them."""

import polars as pl
import streamlit as st

from app import freshness, making, refused, state, tray, url
from app.errors import errors
from app.parts import draw, layout
from pipeline.core.columns import CATEGORY, ITEM_ID
from pipeline.core.errors import UserError
from pipeline.core.ids import matched
from pipeline.figures import charts
from pipeline.serving.recommender import Recommender

_MOST_FOUND = 50  # items that are marked at once


def main() -> None:
    layout.heading(
        "Which items does the model find similar?",
        "UMAP projects the item vectors to two dimensions: items close on the map are close in the search.",
    )
    layout.choose_model()
    points = state.table(f"maps/{state.model()}", "items.parquet")
    recommender = state.recommender()
    if points is None or recommender is None:
        if making.show("models" if recommender is None else "maps"):
            return
        if recommender is None:
            layout.empty(
                "There is no trained model yet, so there are no items to draw.", "train", "Train one on the Train page"
            )
            return
        layout.empty("The map is not drawn yet.")
        with refused.below("map"):
            if st.button("Draw the map", type="primary"):
                tray.launch(["map", "--model", state.model()], f"map {state.model()}")
        return
    freshness.notice(recommender.model)
    left, right = st.columns(2)
    session = left.text_input("Draw a session", placeholder="a session id", **url.bound("session", "", url.text))
    find = right.text_input("Find an item", placeholder="name or id", **url.bound("find", "", url.text))
    columns = [c for c in (ITEM_ID, CATEGORY, "name", "train_clicks") if c in recommender.catalogue.columns]
    drawn = matched(points, recommender.catalogue.select(columns), ITEM_ID)
    path = _path(recommender, session)
    found = _find(drawn, find)
    draw.figure(charts.item_map(drawn, state.mode(), path, found), zoom=True)
    st.caption("Drag to move, scroll to zoom, click a category in the legend to hide it.")
    _again()


def _path(recommender: Recommender, session: str) -> list[str]:
    if not session:
        return []
    try:
        return list(recommender.session(session))
    except UserError as error:
        st.error(str(error))
        return []


def _find(drawn: pl.DataFrame, text: str) -> list[str]:
    if not text:
        return []
    label = "name" if "name" in drawn.columns else ITEM_ID
    matches = pl.col(label).cast(pl.String).str.to_lowercase().str.contains(text.lower(), literal=True)
    found = drawn.filter(matches | (pl.col(ITEM_ID).cast(pl.String) == text))[ITEM_ID].cast(pl.String).to_list()
    if not found:
        st.caption(f"No item matches “{text}”.")
    if len(found) > _MOST_FOUND:
        st.caption(f"{len(found):,} items match “{text}”; the first {_MOST_FOUND} are marked.")
    return found[:_MOST_FOUND]


def _again() -> None:
    with refused.below("map"), st.expander("Redraw with other settings"):
        left, right = st.columns(2)
        neighbors = left.slider(
            "Neighbours kept together", 2, 100, 15, help="Small values show detail, large values the overall structure."
        )
        distance = right.slider("Distance between points", 0.0, 0.9, 0.1, help="How close points may lie.")
        if st.button("Draw the map"):
            chosen = ["--n-neighbors", str(neighbors), "--min-dist", str(distance)]
            tray.launch(["map", "--model", state.model(), *chosen], f"map {state.model()}")


with errors():
    main()
