"""Collections that others made on a connected server: a table, the nearest of a stored vector, two compared; read only."""

from typing import Any

import streamlit as st

from app import state
from app.errors import errors
from pipeline.core.text import number, percent
from pipeline.search.compatibility import ServerFacts

_K, _QUERIES = 10, 20


def show(chosen: ServerFacts) -> None:
    """List them when asked to, as that takes several requests each."""
    with st.expander("Other collections on this server", icon=":material/visibility:"):
        st.caption("You can query and compare them; they are never changed, loaded, released or dropped.")
        if st.toggle("Look", key=f"look-{chosen.name}"):
            with errors():
                _table(chosen.name)


def _table(server: str) -> None:
    from pipeline.search.milvus import foreign

    engine: Any = state.hold().engine(server)
    names = [name for name in engine.collections() if not name.startswith(state.workspace().prefix)]
    if not names:
        st.caption("None: all collections on this server belong to this workspace.")
        return
    found = [foreign.look(engine, name) for name in names]
    picked: Any = st.dataframe(
        [
            {
                "collection": row["name"],
                "rows": number(row["rows"]),
                "dimensions": row["dim"],
                "index": row["index"] or "none",
                "metric": row["metric"] or "–",
                "in memory": "yes" if row["loaded"] else "no",
            }
            for row in found
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"rows": st.column_config.TextColumn(alignment="right")},
        key=f"others-{server}",
    )
    chosen = [names[i] for i in picked.selection.rows]
    if len(chosen) == 1:
        answer = foreign.neighbours(engine, chosen[0], _K)
        st.markdown(
            f"Nearest to **{answer['queries'][0]}**, its first row: {', '.join(map(str, answer['answers'][0]))}"
        )
        st.caption(f"Answered in {answer['p50_ms']:.2f} ms.")
    elif len(chosen) == 2:
        both = foreign.compare_collections(engine, chosen[0], chosen[1], _K, _QUERIES)
        times = ", ".join(f"{name} p50 {ms:.2f} ms" for name, ms in both["p50_ms"].items())
        st.markdown(
            f"**{percent(both['in_common'])} of the {_K} nearest are the same**, over {both['queries']} queries; {times}."
        )
    else:
        st.caption("Select one to ask it for the neighbours of its first row, or two to compare.")
