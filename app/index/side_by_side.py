"""Two indexes on the same queries: how much they agree, how quick each is, which neighbours differ."""

from typing import Any

import numpy as np
import polars as pl
import streamlit as st

from app import state
from pipeline.core.arrays import Floats, Rows
from pipeline.core.columns import ID, ITEM_IDX
from pipeline.core.errors import UserError
from pipeline.core.text import percent
from pipeline.indexes.registry import index_stage
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.measure import exact, recall, timed
from pipeline.search.params import validate_search
from pipeline.training.history import MODEL
from pipeline.training.train import stage_name
from pipeline.vectors.embed import load_vectors, vectors_stage

_QUERIES, _K = 50, 10


def show(left: dict[str, Any], right: dict[str, Any]) -> None:
    """Ask both indexes the same queries and show where they differ."""
    if (left["model"], left["vectors"]) != (right["model"], right["vectors"]):
        raise UserError(
            f"'{left['name']}' and '{right['name']}' hold different vectors: select two of the same model and kind."
        )
    for row in (left, right):
        _check_current(row)
    ids, vectors = load_vectors(state.workspace(), left["model"], left["vectors"])
    queries = vectors[np.random.default_rng(1).permutation(len(vectors))[:_QUERIES]]
    with st.spinner("Asking both"):
        answers = {row["name"]: _ask(row, queries) for row in (left, right)}
    best = exact(vectors, queries, _K, left["metric"])
    keys = _keys(left, len(ids))
    same = _share(answers[left["name"]][0], answers[right["name"]][0])
    st.markdown(
        f"**{percent(same)} of the {_K} nearest are the same**, over {_QUERIES} queries; default search of each."
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
    number = st.slider(
        "Query", 1, len(queries), 1, help="Each query is a stored vector, so the first answer is usually itself."
    )
    names = dict(zip(keys.tolist(), ids.cast(pl.String).to_list(), strict=True))
    for row in (left, right):
        names |= _added(row, {int(key) for key in answers[row["name"]][0].ravel() if key >= 0} - names.keys())
    lines = [
        {
            "rank": rank + 1,
            "exact": names[int(keys[best[number - 1, rank]])],
            **{
                name: _mark(int(found[number - 1, rank]), names, keys[best[number - 1]])
                for name, (found, _) in answers.items()
            },
        }
        for rank in range(min(_K, best.shape[1]))
    ]
    st.dataframe(lines, hide_index=True)
    st.caption("✕ marks an answer that is not among the exact nearest.")


def _check_current(row: dict[str, Any]) -> None:
    """Raise UserError for an index of vectors that are no longer there to be compared with."""
    stage = vectors_stage(row["model"])
    built = (state.workspace().manifest(index_stage(row["name"])) or {}).get("inputs", {}).get(stage)
    if built != (state.workspace().manifest(stage) or {}).get("key"):
        raise UserError(f"The vectors that '{row['name']}' was built from have been replaced since: build it again.")


def _ask(row: dict[str, Any], queries: Floats) -> tuple[Rows, list[float]]:
    engine = state.hold().engine(row["server"])
    return timed(
        engine, row["collection"], queries, _K, validate_search(CATALOGUE[row["index"]], row["params"], {}, _K)
    )


def _keys(row: dict[str, Any], count: int) -> Rows:
    """Give the int64 key of each vector, as the index stage chose it."""
    if row["vectors"] == "sessions":
        return np.arange(count)
    kept = row["training"] is not None
    stage, file = (
        (index_stage(row["name"]), f"{MODEL}/items.parquet") if kept else (stage_name(row["model"]), "items.parquet")
    )
    table = None if row["model"] not in KINDS else state.table(stage, file)
    return np.arange(count) if table is None else table[ITEM_IDX].to_numpy().astype(np.int64)


def _added(row: dict[str, Any], keys: set[int]) -> dict[int, str]:
    """Ask the server for the ids of rows that came after the index was built."""
    if not keys or not row.get("columns"):
        return {}
    column = row["columns"][0]
    found = state.hold().engine(row["server"]).rows(row["collection"], f"{ID} in {sorted(keys)}", [ID, column])
    return {int(line[ID]): str(line[column]) for line in found}


def _share(left: Rows, right: Rows) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(left.tolist(), right.tolist(), strict=True)]))


def _mark(key: int, names: dict[int, str], exact: Rows) -> str:
    name = names.get(key, "–")
    return name if key in exact else f"{name} ✕"
