"""The form's choice of what is asked: a scenario of a model's vectors, made-up ones, or a collection that is there."""

from typing import Any

import streamlit as st

from app import state, url
from app.benchmark.job import AskedVectors
from app.parts import layout
from pipeline.bench.data.scenarios import QUERIES, SPLITS
from pipeline.bench.data.sources import SYNTHETIC, Sizes, Vectors, read_model, source
from pipeline.bench.run.grid import IndexGrid
from pipeline.core.errors import UserError
from pipeline.core.text import number
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import CATALOGUE, MIN_INDEXED_ROWS

_MADE_UP = (f"{SYNTHETIC}:49008,100000,64", f"{SYNTHETIC}:10000,20000,64")
_THERE = "collection"  # in place of a model's name
_QUERIES = 1000  # as many as the presets put into a request
_OWN = "bench_"  # in the names of collections that a run makes for itself
_ABOUT = {
    "item-item": "Half of the items are indexed, the other half are the queries.",
    "user-user": "85 of 100 sessions are indexed, the others are the queries.",
    "user-item": "The items are indexed, the sessions are the queries.",
}


def choose(left: Any, right: Any, server: str, *, collections: bool) -> AskedVectors | None:
    """Draw the choice; the first scenario and vectors that can tell indexes apart are the usual ones.

    None where no collection can be asked, which is said.
    """
    models = [name.split("/")[-1] for name in state.workspace().stages("vectors")]
    known: dict[str, Vectors] = {**{m: m for m in models}, **{text: read_model(text) for text in _MADE_UP}}
    pairs = ((s, m) for m, vectors in known.items() for s in ("user-user", "item-item") if _enough(s, vectors))
    usual = next(pairs, ("item-item", _MADE_UP[0]))
    offered = known | ({_THERE: _THERE} if collections else {})
    model = str(
        right.selectbox(
            "Vectors", list(offered), format_func=lambda name: _named(offered[name]),
            help="Of a model, made up, or those of a collection on the server, which is only read.",
            **url.choice("vectors", usual[1], list(offered)),
        )
    )  # fmt: skip
    if model == _THERE:
        return _collection(left, server)
    names = list(SPLITS)
    shown = url.choice("of", usual[0], names)
    scenario = str(left.selectbox("Scenario", names, help=" ".join(_ABOUT.values()), **shown))
    st.caption(_ABOUT[scenario])
    return AskedVectors(*_sizes(scenario, known[model]), scenario, model)


def _named(vectors: Vectors) -> str:
    if isinstance(vectors, Sizes):
        return f"made up: {vectors.items:,} items, {vectors.sessions:,} sessions, {vectors.dim} dimensions"
    if vectors == _THERE:
        return "an existing collection"
    return KINDS[vectors].title if vectors in KINDS else vectors


def _enough(scenario: str, vectors: Vectors) -> bool:
    try:
        rows, _, queries = _sizes(scenario, vectors)
    except UserError:
        return False
    return rows >= MIN_INDEXED_ROWS and queries >= _QUERIES


def _sizes(scenario: str, vectors: Vectors) -> tuple[int, int, int]:
    """Give how many vectors would be indexed, their dimensions, and how many queries asked."""
    split = SPLITS[scenario]
    indexed = source(state.workspace(), vectors, split.indexed)
    if split.asked:
        return indexed.rows, indexed.dim, min(source(state.workspace(), vectors, split.asked).rows, QUERIES)
    cut = round(indexed.rows * split.share)
    return cut, indexed.dim, min(indexed.rows - cut, QUERIES)


def _collection(column: Any, server: str) -> AskedVectors | None:
    """Choose one of the server's collections, the workspace's own ones too: asked as they are, never changed."""
    from pipeline.search.milvus import foreign

    with st.spinner(f"Asking {server} for its collections"):
        engine: Any = state.hold().engine(server)
        names = sorted(name for name in engine.collections() if _OWN not in name)
    if not names:
        layout.empty(f"The server '{server}' has no collection: build an index first.", "index", "To the Index page")
        return None
    name = str(column.selectbox("Collection", names, **url.choice("collection", names[0], names)))
    about = foreign.searchable(engine, name)
    if about["index"] not in CATALOGUE or about["rows"] < MIN_INDEXED_ROWS:
        layout.empty(
            f"{name} has {about['rows']:,} rows and the index '{about['index']}': choose one of at least "
            f"{MIN_INDEXED_ROWS:,} rows with an index of the catalogue."
        )
        return None
    st.caption(
        f"{number(about['rows'])} vectors of {about['dim']} dimensions, {about['index']}, {about['metric']}. It is read "
        "once to compute the exact neighbours, and then searched as it is: nothing in it is changed."
    )
    grid = IndexGrid(about["index"])
    return AskedVectors(about["rows"], about["dim"], min(about["rows"], QUERIES), collection=name, index=grid)
