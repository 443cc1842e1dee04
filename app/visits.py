"""The sessions that the Recommend page opens on: those that the model has vectors of and the clicks still hold."""

import polars as pl
import streamlit as st

from app import state
from pipeline.indexes import index_stage
from pipeline.ingest import load_clicks
from pipeline.known import Known
from pipeline.names import ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.recommend import Recommender
from pipeline.stage import is_stale
from pipeline.workspace import Workspace

_LOOKED_AT = 2_000  # newest sessions, where the clicks are not those that the vectors were made from


def answerable(recommender: Recommender) -> list[str]:
    """List sessions that can be asked for, as they ended; the model knows what each clicked first."""
    opened, stage = state.workspace(), f"vectors/{recommender.model}"
    sessions = state.table(stage, "sessions.parquet")
    if sessions is None:
        return []
    index = recommender.serving(None)
    if not is_stale(opened, index_stage(index["name"])):
        return sessions["id"].cast(pl.String).to_list()
    clicks, vectors = ((opened.manifest(name) or {}).get("key", "") for name in ("clicks", stage))
    known = recommender.of(index)
    return _still_there(sessions["id"], known, str(opened.root), (clicks, vectors, known.key))


@st.cache_data(max_entries=8, show_spinner=False)
def _still_there(_sessions: pl.Series, _known: Known, root: str, keys: tuple[str, ...]) -> list[str]:
    """Take of the newest sessions with vectors those whose first click, as the clicks are now, is on a known item."""
    ids = _sessions.tail(_LOOKED_AT).cast(pl.String)
    table = load_clicks(Workspace.open(root)).with_columns(pl.col(SESSION_ID, ITEM_ID).cast(pl.String))
    first = (
        table.filter(pl.col(SESSION_ID).is_in(ids.to_list()))
        .group_by(SESSION_ID)
        .agg(pl.col(ITEM_ID).sort_by(TIMESTAMP, maintain_order=True).first(), pl.len())
        .filter(pl.col("len") > 1, pl.col(ITEM_ID).is_in(list(_known.rows)))
        .collect()
    )
    known = set(first[SESSION_ID])
    return [session for session in ids if session in known]
