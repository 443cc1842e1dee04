"""What each stage made of the candidates: the lists, what moved up or down, and why."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import url
from app.parts import table
from app.serve.asking import Asked
from app.serve.words import FEATURES
from pipeline.core.columns import FIRST_IDX, ITEM_ID, RANK, SCORE
from pipeline.core.text import category
from pipeline.serving.stages.explain import pair_values, reasons
from pipeline.serving.stages.fast import FastPath

LISTS = {"order": "Answer", "retrieve": "Retrieved", "filter": "Left out", "score": "Ranked"}
_SHOWN = 15


def show(path: FastPath, asked: Asked) -> None:
    """Draw the lists of the stages, one at a time, and why an item stands where it does."""
    lists = [name for name in LISTS if name != "score" or path.served.ranker is not None]
    shown = url.segments("list", lists[0], url.one_of(lists))
    chosen = str(
        st.segmented_control("After which stage?", lists, format_func=LISTS.__getitem__, required=True, **shown)
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        _list(chosen, path, asked)
    if path.served.ranker is not None:
        with right:
            _why(path, asked)


def _list(chosen: str, path: FastPath, asked: Asked) -> None:
    items = asked.told["items"]
    if chosen == "filter":
        _left_out(path, asked)
        return
    if chosen == "retrieve":
        ordered = sorted(items, key=lambda item: item["stages"]["retrieved"][RANK])
        rows = len(path.served.known.rows)
        st.caption(f"The nearest of {rows:,} items to the session's vector; “Left out” has what is missing here.")
    elif chosen == "score":
        ordered = sorted(items, key=lambda item: item["stages"]["scored"][RANK])
        st.caption("By the ranker's score of the pair; the arrow tells how far it moved an item.")
    else:
        ordered = items[: asked.k]
        st.caption("What is answered, in its order.")
    table.show([_line(item, chosen) for item in ordered[:_SHOWN]], _ABOUT)
    if len(ordered) > _SHOWN:
        st.caption(f"The first {_SHOWN} of {len(ordered)}.")


_ABOUT = {
    "retrieved": "Rank by Milvus, of the hundred that are retrieved",
    "ranked": "Rank by the ranker's score, and how far that moved it",
    "score": "The ranker's score where there is one, else retrieval's",
}


def _line(item: dict[str, Any], chosen: str) -> dict[str, str]:
    retrieved, scored = (item["stages"][name] for name in ("retrieved", "scored"))
    moved = retrieved[RANK] - scored[RANK]
    arrow = f" ↑ {moved}" if moved > 0 else f" ↓ {-moved}" if moved < 0 else " ="
    score = retrieved[SCORE] if chosen == "retrieve" else item[SCORE]
    return {
        "item": named(item),
        "category": category(item.get("category")) or "–",
        "retrieved": str(retrieved[RANK]),
        "ranked": f"{scored[RANK]}{arrow}",
        "score": f"{score:.3f}",
    }


def named(item: dict[str, Any]) -> str:
    """Name an item as people read it."""
    return str(item.get("name") or item[ITEM_ID])


def _left_out(path: FastPath, asked: Asked) -> None:
    keys, kept = asked.answers.keys[0], asked.answers.kept[0]
    out = [(place, int(key)) for place, key in enumerate(keys, 1) if key >= 0 and kept[place - 1] < 0]
    if not out:
        st.caption("Nothing that was retrieved had been clicked in this session.")
        return
    rows = len(path.served.known.rows)
    st.caption("Retrieved, but already clicked in this session, or newer than the training.")
    known = [(place, key - FIRST_IDX) for place, key in out if 0 <= key - FIRST_IDX < rows]
    table.show(
        [{"item": named(path.served.known.item(row)), "retrieved": str(place)} for place, row in known[:_SHOWN]], _ABOUT
    )


def _why(path: FastPath, asked: Asked) -> None:
    items = asked.told["items"][: asked.k]
    if not items:
        return
    ids = [item[ITEM_ID] for item in items]
    names = {item[ITEM_ID]: f"{item[RANK]}. {named(item)}" for item in items}
    chosen = st.selectbox(
        "Why does it stand there?", ids, format_func=names.__getitem__, **url.choice("why", ids[0], ids)
    )
    item = items[ids.index(chosen)]
    column = item["stages"]["retrieved"][RANK] - 1
    values = pair_values(path.served, path.online, asked.prepared.requests, asked.answers)[0]
    found = reasons(values, asked.answers.kept[0] >= 0, column)
    table.show(_told(found), {"here": "Of this item and session", "others": "Mean of all candidates"}, words=False)
    st.caption("The ranker's inputs in which this item differs most from the other candidates.")


def _told(found: Sequence[Any]) -> list[dict[str, str]]:
    return [
        {"feature": FEATURES[one.feature], "here": f"{one.value:.3g}", "others": f"{one.mean:.3g}"} for one in found
    ]
