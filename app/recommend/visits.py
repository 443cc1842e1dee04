"""The sessions that the Recommend page opens on: those that the model has vectors of and the clicks still hold."""

import polars as pl
import streamlit as st

from app import state
from pipeline.clicks.ingest import STAGE, load_clicks
from pipeline.core.columns import ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.indexes.known import KnownItems
from pipeline.indexes.registry import index_stage
from pipeline.serving.recommender import Recommender
from pipeline.store.stage import is_stale
from pipeline.store.workspace import Workspace

_LOOKED_AT = 2_000  # newest sessions, where the clicks are not those that the vectors were made from


def clicks(recommender: Recommender, session: str) -> list[str]:
    """Give the items a session clicked, oldest first; raise UserError where there is no such session."""
    return _clicks(recommender, recommender.workspace.output(STAGE), session)


@st.cache_resource(max_entries=1_000, show_spinner=False)
def _clicks(_recommender: Recommender, output: str, session: str) -> list[str]:
    return _recommender.session(session)


def answerable(recommender: Recommender) -> list[str]:
    """List sessions that can be asked for, as they ended; the model knows what each clicked first."""
    opened, stage = state.workspace(), f"vectors/{recommender.model}"
    vectors = opened.manifest(stage)
    if vectors is None or "sessions" not in vectors["metrics"]:
        return []
    ids = _ids(str(opened.stage(stage) / "sessions.parquet"), vectors["key"])
    index = recommender.index_in_use(None)
    if not is_stale(opened, index_stage(index["name"])):
        return ids
    clicks = (opened.manifest("clicks") or {}).get("key", "")
    known = recommender.of(index)
    return _still_there(ids[-_LOOKED_AT:], known, str(opened.root), (clicks, vectors["key"], known.key))


@st.cache_resource(max_entries=4, show_spinner=False)
def _ids(path: str, key: str) -> list[str]:
    """Read the sessions of a file of vectors as text, without the vectors; once, as a page asks at every draw."""
    return pl.read_parquet(path, columns=["id"])["id"].cast(pl.String).to_list()


@st.cache_data(max_entries=8, show_spinner=False)
def _still_there(_sessions: list[str], _known: KnownItems, root: str, keys: tuple[str, ...]) -> list[str]:
    """Take those of the newest sessions with vectors whose first click, as the clicks are now, is on a known item."""
    table = load_clicks(Workspace.open(root)).with_columns(pl.col(SESSION_ID, ITEM_ID).cast(pl.String))
    first = (
        table.filter(pl.col(SESSION_ID).is_in(_sessions))
        .group_by(SESSION_ID)
        .agg(pl.col(ITEM_ID).sort_by(TIMESTAMP, maintain_order=True).first(), pl.len())
        .filter(pl.col("len") > 1, pl.col(ITEM_ID).is_in(list(_known.rows)))
        .collect()
    )
    known = set(first[SESSION_ID])
    return [session for session in _sessions if session in known]
