"""One request on the page: whose, how it is ordered, and who answers."""

import random
from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from app import state, url
from app.serve import triton
from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID
from pipeline.indexes.known import KnownItems
from pipeline.serving.ask import PreparedQuestion, Question, prepare
from pipeline.serving.stages.answer import Answers, written
from pipeline.serving.stages.fast import FastPath
from pipeline.serving.stages.served import ServedModel
from pipeline.sessions import preprocess

PICKS = {"session": "A recorded session", "items": "Items of your own"}
WAYS = {"fast": "In the app", "triton": "By Triton"}
SHOWN = 10  # cards of clicks
_OFFERED = 400  # newest test sessions that "One at random" draws from
_MOST_K = 30
_MOST_TEMPERATURE = 3.0


@dataclass(frozen=True, eq=False)
class Asked:
    """A request, its answer, and what the page needs to tell of both."""

    prepared: PreparedQuestion
    answers: Answers
    told: dict[str, Any]
    """As `serve ask` prints it, with every candidate that was kept."""
    k: int
    via: str


def choose(path: FastPath) -> Question | None:
    """Draw the controls; give what is asked, None where nothing can be."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        session, items = _whose(path.served)
    with right:
        via = _via()
    with st.expander(f"How it is ordered: {_ordering()}", icon=":material/tune:"):
        k, temperature, seed = _how(path.served)
    if session is None and not items:
        return None
    return Question(session, tuple(items), k, temperature, seed, via)


def _whose(served: ServedModel) -> tuple[str | None, list[str]]:
    shown = url.segments("pick", "session", url.one_of(PICKS))
    picked = st.segmented_control(
        "Session", list(PICKS), format_func=PICKS.__getitem__, required=True, label_visibility="collapsed", **shown
    )
    if picked == "items":
        return None, _items(served.known)
    ids = sessions(state.workspace().output(preprocess.STAGE))
    field, button = st.columns([2, 1], vertical_alignment="bottom")
    button.button(
        "One at random", icon=":material/casino:", width="stretch", disabled=not ids, on_click=_another, args=(ids,)
    )
    session = field.text_input("Session id", **url.bound("session", ids[-1] if ids else "", url.text))
    return session or None, []


def _items(known: KnownItems) -> list[str]:
    usual = ",".join(list(known.rows)[:2])
    text = st.text_input("Item ids, the newest last", **url.bound("items", usual, url.text))
    return [text] if text.strip() else []


@st.cache_data(max_entries=2, show_spinner=False)
def sessions(output: str) -> list[str]:
    """Give the newest test sessions with a click that the models know, by id."""
    clicks = preprocess.load_part(state.workspace(), "test").filter(pl.col(ITEM_IDX) >= FIRST_IDX)
    found = clicks[SESSION_ID].unique(maintain_order=True)
    return [str(session) for session in found.tail(_OFFERED)]


def _another(ids: list[str]) -> None:
    url.put(session=random.choice(ids))


def _via() -> str:
    ready = triton.now()["state"] in ("ready", "external")
    shown = url.segments("via", "fast", url.one_of(WAYS))
    via = str(st.segmented_control("Answered", list(WAYS), format_func=WAYS.__getitem__, required=True, **shown))
    if via == "triton" and not ready:
        st.caption("Triton is not running: start it above; until then the app answers.")
        return "fast"
    st.caption(
        "Merlin's ensemble on Triton, asked over gRPC."
        if via == "triton"
        else "The same stages in this process, without Merlin or TensorFlow."
    )
    return via


def _ordering() -> str:
    heat = url.value("temperature", 0.0, url.real(0.0, _MOST_TEMPERATURE))
    return f"drawn with temperature {heat:g}" if heat else "by score alone"


def _how(served: ServedModel) -> tuple[int, float, int]:
    left, middle, right = st.columns(3)
    most = min(_MOST_K, served.candidates)
    shown = url.bound("k", min(10, most), url.whole(1, most))
    k = left.slider("How many", 1, most, **shown) if most > 1 else 1
    heat = middle.slider(
        "Temperature",
        0.0,
        _MOST_TEMPERATURE,
        step=0.1,
        help="0 orders by score. Above, items are drawn by the softmax of score / temperature: the higher, the more varied.",
        **url.bound("temperature", 0.0, url.real(0.0, _MOST_TEMPERATURE)),
    )
    seed = right.number_input(
        "Seed",
        0,
        2**31 - 1,
        disabled=not heat,
        help="The same seed draws the same items.",
        **url.bound("seed", 0, url.whole(0, 2**31 - 1)),
    )
    return int(k), float(heat), int(seed)


def answer(path: FastPath, question: Question) -> Asked:
    """Have it answered; raise UserError for what cannot be."""
    opened, served = state.workspace(), path.served
    prepared = prepare(opened, question, served)
    asked = prepared.keys, prepared.requests
    if question.via == "triton":
        found = _client(triton.now()["grpc"], served.ranker is not None, served.fingerprint).answer(
            *asked, prepared.temperature, prepared.seeds
        )
    else:
        engine = state.hold().engine(served.index["server"])
        found = path.answer(*asked, engine, prepared.temperature, prepared.seeds)
    told = written(found, 0, served.candidates, prepared.history, served.known, question.via)
    return Asked(prepared, found, told, question.k, question.via)


@st.cache_resource(max_entries=2, show_spinner=False)
def _client(address: str, ranked: bool, fingerprint: int) -> Any:
    from pipeline.serving.triton.client import TritonClient

    return TritonClient(address, ranked, fingerprint)
