"""Two indexes on the same queries: how much they agree, how quick each is, which neighbours differ."""

from typing import Any

import numpy as np
import polars as pl
import streamlit as st

from app import state
from app.parts import table, terms
from pipeline.core.arrays import Floats, Rows
from pipeline.core.columns import ID, ITEM_IDX
from pipeline.core.errors import UserError
from pipeline.core.text import percent
from pipeline.indexes import build
from pipeline.indexes.registry import index_stage
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.measure import TIMED, exact, recall, timed
from pipeline.search.params import validate_search
from pipeline.store.workspace import Workspace
from pipeline.training.history import MODEL
from pipeline.training.train import stage_name
from pipeline.vectors.embed import Entity, load_vectors, vectors_stage

_K = 10


def show(left: dict[str, Any], right: dict[str, Any]) -> None:
    """Ask both indexes the same queries and show where they differ."""
    if (left["model"], left["vectors"]) != (right["model"], right["vectors"]):
        raise UserError(
            f"'{left['name']}' and '{right['name']}' hold different vectors: select two of the same model and kind."
        )
    for row in (left, right):
        _check_current(row)
    ids, vectors = load_vectors(state.workspace(), left["model"], left["vectors"])
    key = (state.workspace().manifest(vectors_stage(left["model"])) or {}).get("key", "")
    asked, queries = _queries(str(state.workspace().root), left["model"], left["vectors"], key)
    with st.spinner("Asking both"):
        answers = {row["name"]: _ask(row, queries) for row in (left, right)}
    keys = _keys(left, len(ids))
    same = _share(answers[left["name"]][0], answers[right["name"]][0])
    st.markdown(
        f"**{percent(same, 0 if same == 1 else 1)} of the {_K} nearest are the same**, over {len(queries)} queries; default search of each."
    )
    for column, row in zip(st.columns(2), (left, right), strict=True):
        found, seconds = answers[row["name"]]
        value = recall(keys, vectors, queries, found, row["metric"])
        column.metric(
            row["name"],
            f"recall@{_K} {value:.3f}",
            f"p50 {np.median(seconds) * 1000:.2f} ms",
            delta_color="off",
            delta_arrow="off",
        )
    st.caption(_measured(len(queries)))
    number = st.slider("Query", 1, len(queries), 1, help="What the neighbours below are of.")
    st.markdown(f"The {_K} nearest to **{_called(left, str(asked[number - 1]))}**:")
    best = exact(vectors, queries[number - 1 : number], _K, left["metric"])[0]
    named = _names(left, right, keys, ids, answers)
    lines = [
        {
            "rank": f"{rank + 1}",
            "exact": named[int(key)],
            **{name: _mark(int(found[number - 1, rank]), named, keys[best]) for name, (found, _) in answers.items()},
        }
        for rank, key in enumerate(keys[best])
    ]
    table.show(lines, {}, words=True)
    st.caption("✕ marks an answer that is not among the exact nearest.")


@st.cache_data(max_entries=4, show_spinner=False)
def _queries(root: str, model: str, entity: Entity, key: str) -> tuple[pl.Series, Floats]:
    """Choose the queries once: sessions may be far more than the vectors that are compared."""
    opened = Workspace.open(root)
    return build.queries(opened, model, entity, *load_vectors(opened, model, entity))


def _measured(queries: int) -> str:
    """Say what the figures are of, as those of the table above were measured at another time."""
    return (
        f"Measured now: recall on the same {queries} queries as when an index is built, p50 on {min(TIMED, queries)} of "
        "them, one at a time. So recall is as in the table unless an index has changed since, while p50 depends on what else "
        "the machine does."
    )


def _called(row: dict[str, Any], asked: str) -> str:
    """Name a query: a model's are sessions, others are stored vectors."""
    return f"session {asked}" if row["model"] in KINDS else f"the vector {asked}"


def _names(
    left: dict[str, Any],
    right: dict[str, Any],
    keys: Rows,
    ids: pl.Series,
    answers: dict[str, tuple[Rows, list[float]]],
) -> dict[int, str]:
    """Name what the keys stand for: items by their names where the catalogue has them, else ids."""
    catalogue = _catalogue(left)
    called = {} if catalogue is None else terms.names(catalogue)
    named = dict(zip(keys.tolist(), (called.get(i, i) for i in ids.cast(pl.String)), strict=True))
    for row in (left, right):
        named |= _added(row, {int(key) for key in answers[row["name"]][0].ravel() if key >= 0} - named.keys())
    return named


def _check_current(row: dict[str, Any]) -> None:
    """Raise UserError for an index of vectors that are no longer there to be compared with."""
    stage = vectors_stage(row["model"])
    built = (state.workspace().manifest(index_stage(row["name"])) or {}).get("inputs", {}).get(stage)
    if built != (state.workspace().manifest(stage) or {}).get("key"):
        raise UserError(f"The vectors that '{row['name']}' was built from have been replaced since: build it again.")


def _ask(row: dict[str, Any], queries: Floats) -> tuple[Rows, list[float]]:
    """Ask as the index stage does when it measures: all queries at once, and the seconds of some one at a time."""
    engine, name = state.hold().engine(row["server"]), row["collection"]
    search = validate_search(CATALOGUE[row["index"]], row["params"], {}, _K)
    return engine.search(name, queries, _K, search).ids, timed(engine, name, queries[:TIMED], _K, search)[1]


def _keys(row: dict[str, Any], count: int) -> Rows:
    """Give the int64 key of each vector, as the index stage chose it."""
    catalogue = _catalogue(row)
    return np.arange(count) if catalogue is None else catalogue[ITEM_IDX].to_numpy().astype(np.int64)


def _catalogue(row: dict[str, Any]) -> pl.DataFrame | None:
    """Read the items of the training that an index's vectors come from; None for sessions and for imported vectors."""
    if row["vectors"] == "sessions" or row["model"] not in KINDS:
        return None
    kept = row["training"] is not None
    stage = index_stage(row["name"]) if kept else stage_name(row["model"])
    return state.table(stage, f"{MODEL}/items.parquet" if kept else "items.parquet")


def _added(row: dict[str, Any], keys: set[int]) -> dict[int, str]:
    """Ask the server for the ids of rows that came after the index was built."""
    if not keys or not row.get("columns"):
        return {}
    column = row["columns"][0]
    found = state.hold().engine(row["server"]).rows(row["collection"], f"{ID} in {sorted(keys)}", [ID, column])
    return {int(line[ID]): str(line[column]) for line in found}


def _share(left: Rows, right: Rows) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(left.tolist(), right.tolist(), strict=True)]))


def _mark(key: int, named: dict[int, str], exact: Rows) -> str:
    name = named.get(key, "–")
    return name if key in exact else f"{name} ✕"
