"""Recommend: a session's clicks, and what Milvus and the model answer."""

from typing import Any

import polars as pl
import streamlit as st

from app import charts, filtering, parts, routes, state
from pipeline.ids import joined, parted
from pipeline.indexes import find_index, list_indexes
from pipeline.names import ITEM_ID
from pipeline.recommend import Query, Recommender

SHOWN = 12  # cards of clicks; earlier ones are counted
_NEXT = "next_click"
MODES = {"A real session": "session", "Put one together": "items"}


def main() -> None:
    parts.heading(
        "What would this visitor click next?",
        "Pick a session, or click items together; the answer comes from the index, live.",
    )
    parts.choose_model()
    recommender = state.recommender()
    built = [] if recommender is None else _built(recommender)
    if recommender is None or not built:
        parts.empty(
            "Recommendations need a trained model and an index of its items.",
            "overview",
            "Run the demo on the Overview page",
        )
        return
    history, real = _session(recommender)
    query = _controls(recommender, built)
    if not history:
        parts.empty("Choose one item or more: each is a click of the session.")
        return
    earlier = max(0, len(history) - SHOWN)
    st.markdown(f"**Clicked so far** {f'– the last {SHOWN} of {len(history)}' if earlier else ''}")
    known = recommender.of(recommender.serving(query.index))
    parts.cards([known.describe(i) for i in history[earlier:]], state.mode(), first=earlier + 1)
    _answer(recommender, history, real, query)


def _built(recommender: Recommender) -> list[str]:
    """List the indexes that can answer, the one that serves first."""
    rows = [r for r in list_indexes(state.workspace()) if r["vectors"] == "items" and r["model"] == recommender.model]
    serving = recommender.serving(None)["name"] if rows else ""
    return sorted((row["name"] for row in rows), key=lambda name: name != serving)


def _session(recommender: Recommender) -> tuple[list[str], str | None]:
    keys = list(MODES)
    made = bool(state.url("items"))
    chosen = st.segmented_control("Session", keys, default=keys[1] if made else keys[0], label_visibility="collapsed")
    return _together(recommender) if MODES[chosen or keys[0]] == "items" else _real(recommender)


def _together(recommender: Recommender) -> tuple[list[str], None]:
    names = _names(recommender)
    before = [i for i in parted(state.url("items")) if i in names]
    st.session_state.setdefault("basket", before)
    history = st.multiselect(
        "Items, in the order clicked",
        list(names),
        key="basket",
        format_func=names.__getitem__,
        placeholder="Search an item",
    )
    state.remember(items=joined(history), session=None, after=None)
    return history, None


def _names(recommender: Recommender) -> dict[str, str]:
    items = recommender.catalogue
    ids = items[ITEM_ID].cast(pl.String)
    names = items["name"].cast(pl.String) if "name" in items.columns else ids
    shared = set(names.filter(names.is_duplicated()))  # Streamlit takes two options of one label for the same
    return {
        i: i if not name else f"{name} ({i})" if name in shared else name for i, name in zip(ids, names, strict=True)
    }


def _real(recommender: Recommender) -> tuple[list[str], str | None]:
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    if right.button("One at random", icon=":material/casino:", width="stretch") or "session_id" not in st.session_state:
        st.session_state["session_id"] = (
            state.url("session") if "session_id" not in st.session_state and state.url("session") else _random()
        )
    session = left.text_input("Session id", key="session_id")
    clicks = recommender.session(session)
    state.remember(session=session, items=None)
    if len(clicks) < 2:
        return clicks, None
    asked = state.url("after")
    start = min(max(int(asked), 1), len(clicks) - 1) if asked.isdigit() else len(clicks) - 1
    after = start
    if len(clicks) > 2:
        after = st.slider("Recommend after click", 1, len(clicks) - 1, start, key=f"after-{session}")
    state.remember(after=after)
    return clicks[:after], clicks[after]


def _random() -> str:
    sessions = state.table(f"vectors/{state.model()}", "sessions.parquet")
    return str(sessions["id"].tail(max(1, len(sessions) // 5)).sample(1)[0]) if sessions is not None else ""


def _controls(recommender: Recommender, built: list[str]) -> Query:
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    asked = state.url("index")
    index = left.selectbox("Index", built, built.index(asked) if asked in built else 0)
    row = find_index(state.workspace(), index)
    known = recommender.of(row)
    most = min(50, len(known.rows))
    k = middle.slider("How many", 1, most, min(int(state.url("k", "10") or 10), most)) if most > 1 else 1
    seen = right.toggle("Leave out seen", state.url("seen") == "True", help="Leave out what the session has clicked.")
    expression = filtering.control(known.catalogue, row.get("columns", []))
    state.remember(index=index, k=k, seen=seen, filter=expression)
    return Query(k=k, index=index, exclude_seen=seen, filter=expression)


def _answer(recommender: Recommender, history: list[str], real: str | None, query: Query) -> None:
    index = recommender.serving(query.index)
    known = recommender.of(index)
    with st.spinner("Asking Milvus; the first time it starts, which takes some ten seconds"):
        answer = recommender.recommend(history, query, state.hold().engine(index["server"]))
    items = answer["items"]
    if state.url("items"):
        _go_on([item for item in items if item["item_id"] in recommender.now.rows])
    rank = next((i["rank"] for i in items if i["item_id"] == real), None)
    st.markdown(f"**Recommended** {_verdict(real, rank, len(items))}")
    if filtered := answer.get("filter"):
        st.caption(filtering.caption(filtered))
    if not items:
        parts.empty(answer["note"] or "Nothing is left to recommend.")
        return
    parts.cards(items, state.mode(), star=real)
    narrowed = query.exclude_seen or query.filter or index["changed"]
    exact = None if narrowed else known.exact(history, query.k)
    left, right = st.columns([2, 1], vertical_alignment="center")
    left.plotly_chart(charts.latency(answer["latency_ms"], state.mode()), theme=None)
    if exact is not None:
        same = len(set(exact) & {i["item_id"] for i in items})
        right.metric(
            "Same as exact search",
            f"{same} of {len(exact)}",
            help="Compared with the model's own ranking of every item.",
        )
    if answer["note"]:
        right.caption(answer["note"])
    right.download_button(
        "Download (CSV)",
        pl.from_dicts(items).write_csv(),
        "recommendations.csv",
        "text/csv",
        icon=":material/download:",
    )
    if state.url("session"):
        st.page_link(
            routes.page("map"),
            label="See this session on the map",
            icon=":material/map:",
            query_params={"session": state.url("session")},
        )


def _go_on(items: list[dict[str, Any]]) -> None:
    names = {i["item_id"]: str(i.get("name") or i["item_id"]) for i in items if i["item_id"] not in _basket()}
    st.pills(
        "Click one to go on with the session", list(names), format_func=names.__getitem__, key=_NEXT, on_change=_add
    )


def _basket() -> list[str]:
    return list(st.session_state.get("basket", []))


def _add() -> None:
    """Append the clicked recommendation; a callback, as a widget's value cannot change after it is drawn."""
    clicked = st.session_state.get(_NEXT)
    if clicked:
        st.session_state["basket"] = [*_basket(), clicked]
        st.session_state[_NEXT] = None


def _verdict(real: str | None, rank: int | None, shown: int) -> str:
    if real is None:
        return ""
    return (
        f"– the real next click is number {rank}"
        if rank
        else f"– the real next click, {real}, is not among these {shown}"
    )


with parts.errors():
    main()
