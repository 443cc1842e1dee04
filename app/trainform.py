"""The form that trains a model: its options as they are declared, the usual ones first, and what the button starts."""

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import state, tray
from pipeline.evaluate import current
from pipeline.kinds import KINDS
from pipeline.names import DEFAULT_MODEL
from pipeline.options import Option, arguments, options

_LABELS = {"budget": "Minutes at most", "dim": "Numbers in a vector", "go_on": "Go on from the model before"}
_IN_A_ROW = 5


def form() -> str:
    """Draw the form; its buttons start jobs. Give the model that is chosen."""
    with st.container(border=True):
        model = _model()
        known = options(model)
        usual = [option for option in known if option.usual] or known
        values = _fields(model, usual)
        if more := [option for option in known if option not in usual]:
            with st.expander(f"{len(more)} more settings", icon=":material/tune:"):
                values |= _fields(model, more)
        _buttons(model, ["--model", model, *arguments(model, values)], values)
    return model


def _model() -> str:
    names = list(KINDS)
    asked = state.url("model")
    start = asked if asked in names else state.model()
    model = st.selectbox("Model", names, names.index(start), format_func=lambda name: KINDS[name].title)
    state.remember(model=model if model != DEFAULT_MODEL else None)
    st.caption(KINDS[model].about + ("" if options(model) else " There is nothing to choose."))
    return model


def _fields(model: str, known: Sequence[Option]) -> dict[str, Any]:
    """Draw a field for each option; give what is chosen."""
    values: dict[str, Any] = {}
    for begin in range(0, len(known), _IN_A_ROW):
        row = known[begin : begin + _IN_A_ROW]
        columns = st.columns(min(_IN_A_ROW, max(3, len(known))), vertical_alignment="bottom")
        for column, option in zip(columns, row, strict=False):
            values[option.name] = _field(column, option, f"{model}-{option.name}")
    return values


def _field(column: Any, option: Option, key: str) -> Any:
    label = _LABELS.get(option.name, option.name.replace("_", " ").capitalize())
    shown = {"help": option.meaning, "key": key}
    if option.choices:
        return column.selectbox(label, option.choices, _start(option), format_func=lambda n: KINDS[n].title, **shown)
    if isinstance(option.default, bool):
        return column.toggle(label, option.default, **shown)
    low, high = option.limits or (None, None)
    if isinstance(option.default, int):
        whole = {"min_value": None if low is None else int(low), "max_value": None if high is None else int(high)}
        return int(column.number_input(label, value=option.default, **whole, **shown))
    bounds = {"min_value": None if low is None else float(low), "max_value": None if high is None else float(high)}
    step = 10.0 ** math.floor(math.log10(option.default / 2)) if option.default else 1.0
    return float(column.number_input(label, value=option.default, step=step, format="%g", **bounds, **shown))


def _start(option: Option) -> int:
    """Take the default where it is trained on these sessions, else one that is."""
    ready = current(state.workspace())
    names = [option.default, *option.choices]
    return option.choices.index(next((name for name in names if name in ready), option.default))


def _buttons(model: str, chosen: list[str], values: dict[str, Any]) -> None:
    retrieval = values.get("retrieval")
    if retrieval is not None and retrieval not in current(state.workspace()):
        title = KINDS[retrieval].title
        st.caption(f":material/info: It orders what {title} retrieves, which is not trained on these sessions yet: train {title} first.")  # fmt: skip
    if not KINDS[model].has_vectors:
        missing = retrieval is not None and retrieval not in current(state.workspace())
        if st.button("Train", type="primary", width="stretch", disabled=missing):
            tray.launch(["train", *chosen], f"train {model}")
        return
    left, right = st.columns([2, 1])
    if left.button("Train, and refresh vectors, index, evaluation and map", type="primary", width="stretch"):
        tray.launch(["run", *chosen], "train and refresh")
    if right.button("Train only", width="stretch"):
        tray.launch(["train", *chosen], f"train {model}")
