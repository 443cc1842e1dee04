"""Index: choose a type and its parameters, build it in Milvus, see what is built."""

from typing import Any

import streamlit as st

from app import parts, state, tray
from pipeline.index import list_indexes
from pipeline.text import duration, number
from pipeline.vectors.catalogue import CATALOGUE, MIN_INDEXED_ROWS, IndexType, validate_build

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
        names = list(CATALOGUE)
        asked = state.url("type", "HNSW")
        name = left.segmented_control("Index type", names, default=asked if asked in names else "HNSW") or "HNSW"
        vectors = (
            right.segmented_control("Vectors", ["items", "sessions"], default=state.url("vectors", "items")) or "items"
        )
        state.remember(type=name, vectors=vectors)
        chosen = CATALOGUE[name]
        st.caption(f"{chosen.summary} {chosen.when_to_use}")
        values = _parameters(chosen, int(found[vectors]), int(found["dim"]))
        text = ",".join(f"{k}={v}" for k, v in values.items())
        if int(found[vectors]) < MIN_INDEXED_ROWS:
            st.caption(
                f":material/info: {found[vectors]:,} vectors: Milvus builds no index under about {MIN_INDEXED_ROWS:,} rows "
                "and compares with every one, so all types answer alike."
            )
        if st.button(f"Build {name} over {found[vectors]:,} {vectors}", type="primary"):
            tray.launch(
                ["index", "build", "--index", name, "--vectors", vectors, "--build", text], f"build {name} of {vectors}"
            )


def _parameters(chosen: IndexType, rows: int, dim: int) -> dict[str, int]:
    defaults = validate_build(chosen, {}, dim, rows)
    values = {}
    for column, param in zip(st.columns(max(len(chosen.build), 2)), chosen.build, strict=False):
        help_text = f"{param.meaning} {param.effect}"
        limit = min(param.high, rows) if param.name == "nlist" else param.high
        values[param.name] = int(
            column.number_input(
                param.name,
                param.low,
                limit,
                defaults[param.name],
                help=help_text,
                key=f"{chosen.name}-{param.name}-{rows}",
            )
        )
    return values


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
