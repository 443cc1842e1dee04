"""The form that trains a model: its options as they are declared, the usual ones first, and what the button starts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import refused, state, tray, url
from pipeline.clicks.datasets import known_data_sets
from pipeline.evaluation.evaluate import current
from pipeline.models.options import Option, arguments, options
from pipeline.models.registry import KINDS

_LABELS = {"budget": "Minutes at most", "dim": "Numbers in a vector", "go_on": "Continue from the previous model"}
_IN_A_ROW = 5


def form() -> str:
    """Draw the form; its buttons start jobs. Give the model that is chosen."""
    with st.container(border=True), refused.below("train"):
        left, right = st.columns([3, 2])
        with left:
            model = _model()
        clicks = _clicks(right)
        st.caption(KINDS[model].about + ("" if options(model) else " It has no settings."))
        every = options(model)
        usual = [option for option in every if option.usual] or every
        values = _fields(model, usual)
        if more := [option for option in every if option not in usual]:
            with st.expander(f"{len(more)} more settings", icon=":material/tune:"):
                values |= _fields(model, more)
        chosen = ["--model", model, *arguments(model, values)]
        if KINDS[model].has_vectors:
            _run_or_train(model, chosen, clicks)
        else:
            _train(model, chosen, clicks, values.get("retrieval"))
    return model


def _model() -> str:
    names = list(KINDS)
    shown = url.choice("model", state.usual_model(), names)
    return str(st.selectbox("Model", names, format_func=lambda name: KINDS[name].title, **shown))


def _clicks(column: Any) -> list[str]:
    """Let the clicks be chosen; give the option of `run` that reads others, [] for those that are there."""
    manifest = state.workspace().manifest("clicks")
    if manifest is None:
        return []
    now = manifest["config"]["clicks"]
    others = {d.name: d.title for d in known_data_sets() if d.name != now and d.state != "not fetched"}
    names = {now: f"{Path(now).name}, as it is", **others}
    help_ = "Other clicks are read and split before training. Choose your own file on the Data page."
    chosen = str(column.selectbox("Clicks", list(names), format_func=lambda name: names[name], help=help_))
    return [] if chosen == now else ["--clicks", chosen]


def _fields(model: str, some: Sequence[Option]) -> dict[str, Any]:
    """Draw a field for each option; give what is chosen."""
    values: dict[str, Any] = {}
    for begin in range(0, len(some), _IN_A_ROW):
        row = some[begin : begin + _IN_A_ROW]
        columns = st.columns(min(_IN_A_ROW, max(3, len(some))), vertical_alignment="bottom")
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
    number = type(option.default)
    sides = zip(("min_value", "max_value"), option.limits, strict=True)
    bounds = {side: number(limit) for side, limit in sides if limit is not None}
    form = {} if number is int else {"format": "%g"}
    return column.number_input(label, value=option.default, step=_step(option.default), **form, **bounds, **shown)


def _step(default: float) -> float:
    """Give a step that changes a default by a tenth to a half of it."""
    if isinstance(default, int):
        return max(1, 10 ** int(math.log10(max(default, 1) / 5)))
    return 10.0 ** math.floor(math.log10(default / 2)) if default else 1.0


def _start(option: Option) -> int:
    """Take the default where it is trained on these sessions, else one that is."""
    ready = current(state.workspace())
    names = [option.default, *option.choices]
    return option.choices.index(next((name for name in names if name in ready), option.default))


def _train(model: str, chosen: list[str], clicks: list[str], retrieval: str | None) -> None:
    """Offer to train what has no vectors to refresh; say what it waits for."""
    waits = ""
    if clicks:
        waits = "This model cannot read other clicks: train the session encoder or the two-tower on them first."
    elif retrieval is not None and retrieval not in current(state.workspace()):
        title = KINDS[retrieval].title
        waits = f"It orders what {title} retrieves, which is not trained on these sessions yet: train {title} first."
    if waits:
        st.caption(f":material/info: {waits}")
    if st.button("Train", type="primary", width="stretch", disabled=bool(waits), help=waits or None):
        tray.launch(["train", *chosen], f"train {model}")


def _run_or_train(model: str, chosen: list[str], clicks: list[str]) -> None:
    left, right = st.columns([2, 1])
    if left.button("Train, and refresh vectors, index, evaluation and map", type="primary", width="stretch"):
        tray.launch(["run", *clicks, *chosen], "train and refresh")
    if right.button(
        "Train only",
        width="stretch",
        disabled=bool(clicks),
        help="Other clicks need the whole pipeline: use the button on the left." if clicks else None,
    ):
        tray.launch(["train", *chosen], f"train {model}")
