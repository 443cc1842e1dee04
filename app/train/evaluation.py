"""The Train page's judgement: models against the baselines, with intervals, and where each is strong."""

from typing import Any

import polars as pl
import streamlit as st

from app import making, refused, state, tray, url
from app.parts import draw, layout, terms
from pipeline.core.spread import MAYBE_CHANCE
from pipeline.evaluation.differences import best_baseline, certain, differences
from pipeline.evaluation.evaluate import (
    SLICES,
    EvaluateConfig,
    current,
    evaluation_stage,
    evaluations,
    intervals,
    longest_sessions,
    sampled,
)
from pipeline.evaluation.slices import LENGTH, POPULARITY
from pipeline.evaluation.through_index import approximations
from pipeline.figures import models as modelcharts
from pipeline.models.registry import KINDS, baselines

MEASURES = ("recall@5", "recall@10", "recall@20", "mrr@10", "mrr@20", "ndcg@20", "popularity@20")
TITLES = {name: kind.title for name, kind in KINDS.items()}


def show() -> None:
    """Show every model that is measured on the sessions as they are, and what can be measured yet."""
    shown = url.bound("unseen", False, url.flag, url.write_flag)
    unseen = st.toggle("Only items new to the session", help=_UNSEEN, **shown)
    config = EvaluateConfig(exclude_seen=unseen, max_clicks=_bound(EvaluateConfig(exclude_seen=unseen)))
    models = evaluations(state.workspace(), config)
    with refused.below("evaluate"):
        _measure(models, config)
    if not models:
        if not making.show("evaluation"):
            layout.empty("No model is measured yet: press “Evaluate” above.")
        return
    shown = url.segments("measure", "recall@20", url.one_of(MEASURES))
    measure = str(st.segmented_control("Measure", MEASURES, required=True, **shown))
    bounds = intervals(state.workspace(), config)
    sure = certain(state.workspace(), measure, config)
    figure = modelcharts.evaluation(models, bounds, TITLES, baselines(), state.mode(), measure, sure)
    draw.figure(figure, "models")
    st.caption(
        f"{terms.next_clicks(models)} {terms.TERMS.get(measure, '')} Measured here on {max(int(m['examples']) for m in models.values()):,} next clicks, "
        "each ranked over the whole catalogue of training; bars are 95 % intervals, from 1,000 bootstrap resamples of sessions; "
        "the baselines are grey."
    )
    _longest(config)
    _difference(models, measure, config)
    _slices(models, measure, config)
    _table(models)
    _indexes()


_UNSEEN = "Recommend no item already clicked in the session, and skip clicks that return to one."


def _bound(whole: EvaluateConfig) -> int:
    """Let the next clicks of a session be bounded, where the longest sessions weigh too much or one is set."""
    read = url.whole(0, _MOST_CLICKS)
    longest = longest_sessions(state.workspace(), whole)
    if not url.value("most", 0, read) and not (longest and longest.note):
        return 0
    shown = url.bound("most", 0, read)
    return int(
        st.number_input("Maximum next clicks per session", 0, _MOST_CLICKS, step=10, help=_MOST, width=240, **shown)
    )


_MOST_CLICKS = 1_000_000_000
_MOST = "Only this many next clicks of each session are ranked, from the first; 0 ranks all. Press “Evaluate” after a change."


def _longest(config: EvaluateConfig) -> None:
    """Say where few sessions make most of what is measured."""
    longest = longest_sessions(state.workspace(), config)
    if note := sampled(state.workspace(), config):
        st.caption(f":material/info: {note}")
    if longest and longest.note:
        st.warning(f"{longest.note} You can limit each session above.", icon=":material/warning:")


def _measure(models: dict[str, Any], config: EvaluateConfig) -> None:
    """Offer to measure what is trained and not measured, and to train the baselines."""
    ready = current(state.workspace())
    missing = [name for name in ready if name not in models]
    absent = [name for name in baselines() if name not in ready]
    left, right = st.columns([1, 3], vertical_alignment="center")
    arguments = ["evaluate", *(["--baselines"] if absent else []), *(["--exclude-seen"] if config.exclude_seen else [])]
    arguments += ["--max-clicks", str(config.max_clicks)] if config.max_clicks else []
    wanted = bool(missing or absent)
    why = None if wanted else "Every trained model is measured."
    if left.button("Evaluate", disabled=not wanted, width="stretch", icon=":material/checklist:", help=why):
        tray.launch(arguments, "evaluate")
    named = ", ".join(TITLES[name] for name in [*absent, *missing])
    right.caption(f"Not measured yet: {named}." if wanted else "Every trained model is measured.")


def _difference(models: dict[str, Any], measure: str, config: EvaluateConfig) -> None:
    """Say which models differ from the best baseline by more than chance."""
    other = best_baseline(models)
    if other is None or len(models) < 2:
        return
    st.markdown(f"**Compared with {TITLES[other]}**, the best baseline by mrr@20, on the same sessions:")
    rows = [
        {
            "model": TITLES.get(name, name),
            "difference": found.difference,
            "from": found.low,
            "to": found.high,
            "verdict": _verdict(found.difference, found.certain),
        }
        for name, measures in differences(state.workspace(), other, config).items()
        for found in (measures[measure],)
    ]
    signed = {name: st.column_config.NumberColumn(name, format="%+.3f") for name in ("difference", "from", "to")}
    signed["verdict"] = st.column_config.Column("verdict", help="Whether the 95 % interval leaves out zero.")  # type: ignore[assignment]
    st.dataframe(rows, hide_index=True, column_config=signed)


def _verdict(difference: float, sure: bool) -> str:
    if not sure:
        return MAYBE_CHANCE
    return "more" if difference > 0 else "less"


def _slices(models: dict[str, Any], measure: str, config: EvaluateConfig) -> None:
    shown = url.segments("by", LENGTH, url.one_of((LENGTH, POPULARITY)))
    name = str(st.segmented_control("By", (LENGTH, POPULARITY), required=True, **shown))
    tables = {model: state.table(evaluation_stage(model, config), SLICES) for model in models}
    rows = pl.concat(
        table.filter(pl.col("slice") == name, pl.col("measure") == measure).with_columns(pl.lit(model).alias("model"))
        for model, table in tables.items()
        if table is not None
    )
    draw.figure(modelcharts.slices(rows, TITLES, baselines(), state.mode(), measure, name), "slices")
    st.caption(
        "Item popularity: the share of the catalogue, most clicked items first, that the next click is in."
        if name == POPULARITY
        else "Session length: the number of clicks seen so far."
    )


def _table(models: dict[str, Any]) -> None:
    with st.expander("All measures", icon=":material/table:"):
        rows = [{"model": TITLES.get(name, name), **figures} for name, figures in models.items()]
        shown = {
            name: st.column_config.NumberColumn(name, help=terms.TERMS.get(name), format="%.3f")
            for name in (*MEASURES, "coverage@20")
        }
        counts = {n: st.column_config.NumberColumn(text, format="localized") for n, text in _COUNTS.items()}
        st.dataframe(rows, hide_index=True, column_config=shown | counts)


_COUNTS = {"examples": "next clicks", "sessions": "sessions"}


def _indexes() -> None:
    """Say what is lost where an index answers instead of the exact search, for those that were measured."""
    rows = [
        {
            "index": name,
            "next clicks": found["examples"],
            "recall@20 of the index": found["index_recall@20"],
            "recall@20": found["exact"]["recall@20"],
            "lost in recall@20": found["lost"]["recall@20"]["difference"],
            "mrr@20": found["exact"]["mrr@20"],
            "lost in mrr@20": found["lost"]["mrr@20"]["difference"],
        }
        for name, found in approximations(state.workspace()).items()
    ]
    if not rows:
        return
    st.markdown("**With an index in Milvus**, on the same next clicks as the exact search:")
    measured = [name for name in rows[0] if name not in ("index", "next clicks")]
    columns = {n: st.column_config.NumberColumn(n, format="%.3f", help=_LOST.get(n)) for n in measured}
    columns["next clicks"] = st.column_config.NumberColumn("next clicks", format="localized")
    st.dataframe(rows, hide_index=True, column_config=columns)


_LOST = {
    "recall@20 of the index": "Share of the 20 exact nearest vectors that the index finds.",
    "recall@20": "Of next clicks, by the exact search.",
    "lost in recall@20": "How much lower it is with the index than with the exact search.",
}
