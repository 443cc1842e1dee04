"""Index: choose a type and its parameters, build it in Milvus, see what is built."""

from typing import Any

import streamlit as st

from app import parts, state, tray
from pipeline.indexes import list_indexes
from pipeline.text import duration, number
from pipeline.vectors.catalogue import CATALOGUE, MIN_INDEXED_ROWS
from pipeline.vectors.params import IndexType, Param, Value, format_params
from pipeline.vectors.support import EMBEDDED, supported_names

VERBS = {"Load into memory": "load", "Release from memory": "release", "Drop for good": "drop"}


def main() -> None:
    parts.heading(
        "Which index finds near vectors fastest?",
        "Build several side by side over the same vectors; each is a collection in Milvus.",
    )
    manifest = state.workspace().manifest("vectors/two_tower")
    if manifest is None:
        parts.empty("There are no vectors to index yet.", "train", "Train and embed on the Train page")
        return
    _form(manifest["metrics"])
    _built()


def _form(found: dict[str, Any]) -> None:
    with st.container(border=True):
        left, right = st.columns(2)
        names = supported_names(EMBEDDED)
        asked = state.url("type", "HNSW")
        name = left.segmented_control("Index type", names, default=asked if asked in names else "HNSW") or "HNSW"
        vectors = (
            right.segmented_control("Vectors", ["items", "sessions"], default=state.url("vectors", "items")) or "items"
        )
        state.remember(type=name, vectors=vectors)
        chosen = CATALOGUE[name]
        st.caption(f"{chosen.summary} {chosen.when_to_use}")
        values = _parameters(chosen, int(found[vectors]), int(found["dim"]))
        text = format_params(values)
        if int(found[vectors]) < MIN_INDEXED_ROWS:
            st.caption(
                f":material/info: {found[vectors]:,} vectors: Milvus builds no index under about {MIN_INDEXED_ROWS:,} rows "
                "and compares with every one, so all types answer alike."
            )
        if st.button(f"Build {name} over {found[vectors]:,} {vectors}", type="primary"):
            tray.launch(
                ["index", "build", "--index", name, "--vectors", vectors, "--build", text], f"build {name} of {vectors}"
            )


def _parameters(chosen: IndexType, rows: int, dim: int) -> dict[str, Value]:
    """Draw a field for each build parameter of the catalogue's entry; give what is chosen."""
    context = {"rows": rows, "dim": dim}
    values: dict[str, Value] = {}
    columns = st.columns(max(len(chosen.build), 2))
    for column, param in zip(columns, chosen.build, strict=False):
        values[param.name] = _field(column, param, {**context, **values}, f"{chosen.name}-{param.name}-{rows}")
    return values


def _field(column: Any, param: Param, context: dict[str, Value], key: str) -> Value:
    text = f"{param.meaning} {param.effect}"
    default = param.fitting(context)
    if param.kind == "bool":
        return bool(column.toggle(param.name, bool(default), help=text, key=key))
    if param.kind == "choice":
        return str(column.selectbox(param.name, param.choices, param.choices.index(str(default)), help=text, key=key))
    low, high = param.limits(context)
    if param.divides and param.divides in context:
        fitting = [d for d in range(1, int(high) + 1) if int(context[param.divides]) % d == 0]
        return int(column.selectbox(param.name, fitting, fitting.index(int(default)), help=text, key=key))
    return int(column.number_input(param.name, int(low), int(high), int(default), help=text, key=key))


def _built() -> None:
    st.subheader("Built")
    built = list_indexes(state.workspace())
    if not built:
        parts.empty("No index is built yet: choose a type above and press Build.")
        return
    st.dataframe(
        [
            {
                "index": row["name"],
                "parameters": ", ".join(f"{k} {v}" for k, v in row["params"].items()) or "none",
                "rows": number(row["rows"]),
                "build": duration(row["build_s"]),
                "with insert and load": duration(row["seconds"]),
                "state": "out of date" if row["stale"] else (row["note"].split(":")[0] or "ready"),
            }
            for row in built
        ],
        hide_index=True,
    )
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    name = left.selectbox("Index", [row["name"] for row in built])
    action = middle.selectbox("Action", list(VERBS))
    sure = action != "Drop for good" or st.checkbox(f"Yes, drop {name}; it can be built again from its vectors")
    if right.button("Do it", disabled=not sure, width="stretch"):
        verb = VERBS[action]
        tray.launch(["index", verb, name], f"{verb} {name}")


with parts.errors():
    main()
