"""Recommend: a session's clicks, and what Milvus and the model answer."""

import random

import polars as pl
import streamlit as st

from app import freshness, making, routes, state, url
from app.errors import errors
from app.parts import cards, layout, terms
from app.recommend import basket, filtering, latency, visits
from pipeline.indexes.known import KnownItems
from pipeline.indexes.registry import find_index, list_indexes
from pipeline.serving.recommender import Recommender
from pipeline.serving.request import Query

SHOWN = 12  # cards of clicks; earlier ones are counted
MODES = {"session": "A recorded session", "items": "Build a session"}


def main() -> None:
    layout.heading(
        "What would this visitor click next?",
        "Pick a recorded session or build one; the recommendations come live from the index.",
    )
    layout.choose_model()
    recommender = state.recommender()
    built = [] if recommender is None else _built(recommender)
    if recommender is None or not built:
        if not making.show("models" if recommender is None else "indexes"):
            layout.empty(
                "Recommendations need a trained model and an index of its items.",
                "overview",
                "Run the demo on the Overview page",
            )
        return
    freshness.notice(recommender.model)
    history, real = _session(recommender)
    query, known = _controls(recommender, built)
    if not history:
        return
    earlier = max(0, len(history) - SHOWN)
    st.markdown(f"**Clicked so far** {f'– the last {SHOWN} of {len(history)}' if earlier else ''}")
    cards.show([known.describe(i) for i in history[earlier:]], state.mode(), first=earlier + 1)
    _answer(recommender, history, real, query)


def _built(recommender: Recommender) -> list[str]:
    """List the indexes that can answer, the one in use first."""
    rows = [r for r in list_indexes(state.workspace()) if r["vectors"] == "items" and r["model"] == recommender.model]
    in_use = recommender.index_in_use(None)["name"] if rows else ""
    return sorted((row["name"] for row in rows), key=lambda name: name != in_use)


def _session(recommender: Recommender) -> tuple[list[str], str | None]:
    shown = url.segments("pick", _usual_pick(), url.one_of(MODES))
    st.segmented_control(
        "Session", list(MODES), format_func=MODES.__getitem__, required=True, label_visibility="collapsed", **shown
    )
    return _together(recommender) if _picked() == "items" else _real(recommender)


def _usual_pick() -> str:
    """Give what a link means that names no way: its items, else a session."""
    return "items" if url.value("items", "", url.text) else "session"


def _picked() -> str:
    return url.value("pick", _usual_pick(), url.one_of(MODES))


def _together(recommender: Recommender) -> tuple[list[str], None]:
    history = basket.edit(basket.names(recommender.now))
    if not history:
        layout.empty("Add one or more items: each is a click in the session.")
    return history, None


def _real(recommender: Recommender) -> tuple[list[str], str | None]:
    ids = visits.answerable(recommender)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    why = None if ids else _NONE_LEFT
    right.button(
        "One at random",
        icon=":material/casino:",
        width="stretch",
        on_click=_another,
        args=(ids,),
        disabled=not ids,
        help=why,
    )
    session = left.text_input("Session id", **url.bound("session", ids[-1] if ids else "", url.text))
    st.session_state[_SHOWN] = session
    if not session:
        layout.empty(f"{_NONE_LEFT} Refresh the model, or build a session from items it knows.")
        return [], None
    clicks = visits.clicks(recommender, session)
    if len(clicks) < 2:
        return clicks, None
    last = len(clicks) - 1
    shown = url.bound("after", last, url.whole(1, last), key=f"url-after-{session}")
    after = st.slider("Recommend after click", 1, last, **shown) if last > 1 else 1
    return clicks[:after], clicks[after]


_SHOWN = "recommend-session"
_NONE_LEFT = "No session in the current clicks starts with an item this model knows."


def _another(ids: list[str]) -> None:
    """Choose one of the last fifth of the sessions."""
    newest = ids[-max(1, len(ids) // 5) :]
    url.put(session=random.choice(newest), after=None)


def _controls(recommender: Recommender, built: list[str]) -> tuple[Query, KnownItems]:
    """Draw what can be chosen; give it, with what answers through the index that is chosen."""
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    index = str(left.selectbox("Index", built, **url.choice("index", built[0], built)))
    row = find_index(state.workspace(), index)
    known = recommender.of(row)
    most = min(50, len(known.rows))
    shown = url.bound("k", min(10, most), url.whole(1, most))
    k = middle.slider("How many", 1, most, **shown) if most > 1 else 1
    shown = url.bound("seen", False, url.flag, url.write_flag)
    seen = right.toggle("Exclude seen items", help="Leave out items already clicked in the session.", **shown)
    expression = filtering.control(known, row.get("columns", []))
    return Query(k=k, index=index, exclude_seen=seen, filter=expression), known


def _answer(recommender: Recommender, history: list[str], real: str | None, query: Query) -> None:
    request = recommender.check(history, query)
    known = request.known
    with st.spinner("Searching Milvus; the first search starts it, which takes about ten seconds"):
        answer = recommender.recommend(request, state.hold().engine(request.index["server"]))
    items = answer["items"]
    if _picked() == "items":
        known_now = (item for item in items if item["item_id"] in recommender.now.rows)
        basket.offer({item["item_id"]: str(item.get("name") or item["item_id"]) for item in known_now}, history)
    rank = next((i["rank"] for i in items if i["item_id"] == real), None)
    known_as = "" if real is None else terms.escaped(str(known.describe(real).get("name") or real))
    st.markdown(f"**Recommended** {_verdict(known_as, rank, len(items))}")
    if filtered := answer.get("filter"):
        st.caption(filtering.caption(filtered))
    if not items:
        layout.empty(answer["note"] or "There is nothing left to recommend.")
        return
    cards.show(items, state.mode(), star=real)
    narrowed = query.exclude_seen or query.filter or request.index["changed"]
    exact = None if narrowed else known.exact(request.vector, query.k)
    left, right = st.columns([2, 1], vertical_alignment="center")
    with left:
        latency.show(answer["latency_ms"], state.mode())
    if exact:
        same = len(set(exact) & {i["item_id"] for i in items})
        right.metric(
            "Same as exact search",
            f"{same} of {len(exact)}",
            help="Compared with the model's exact ranking of all items.",
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
    if _picked() == "session":
        st.page_link(
            routes.page("map"),
            label="See this session on the map",
            icon=":material/map:",
            query_params={"session": str(st.session_state[_SHOWN])},
        )


def _verdict(real: str, rank: int | None, shown: int) -> str:
    if not real:
        return ""
    return (
        f"– the actual next click is number {rank}"
        if rank
        else f"– the actual next click, {real}, is not among these {shown}"
    )


with errors():
    main()
