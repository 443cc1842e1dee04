"""Answers as plain values, for the command line and for whoever reads its JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from pipeline.bench.analysis.advise import Wish, advise
from pipeline.bench.analysis.cost import with_cost
from pipeline.bench.analysis.equal_recall import at_equal_recall, comparison_sentence
from pipeline.bench.analysis.front import OBJECTIVES, front
from pipeline.bench.analysis.prices import Price
from pipeline.bench.analysis.reread import fair, lessons
from pipeline.bench.analysis.settings import gather, marked, newest, summarise, under, where
from pipeline.bench.published import SOURCE
from pipeline.bench.quality import told, with_quality
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.search.params import parse_params
from pipeline.store.workspace import Workspace

BenchAnswer = dict[str, Any]
_LOAD = ("scenario", "client", "loop", "top_k", "nq")


def settings_of(workspace: Workspace, names: Sequence[str], given: Mapping[str, Any]) -> pl.DataFrame:
    """Read runs, the newest one where none is named, as settings under one load (`under`)."""
    settings = under(summarise(gather(workspace, names or [newest(workspace)])), given)
    return with_quality(workspace, settings)


def plain(row: Mapping[str, Any]) -> BenchAnswer:
    """Give a setting as JSON does, with its label and its parameters as objects; what is not known is left out."""
    chosen = {
        "setting": marked(dict(row)),
        **row,
        "build": json.loads(row["build"]),
        "search": json.loads(row["search"]),
    }
    return {name: value for name, value in chosen.items() if value is not None}


def advice(settings: pl.DataFrame, wish: Wish, price: Price, cores: float | None = None) -> BenchAnswer:
    """Advise on settings under one load: {best, why, alternatives, considered, load, wish, prices}."""
    found = advise(with_cost(settings, price, wish.qps, cores), wish)
    return {
        "best": plain(found.best) if found.best else None,
        "why": [*found.why, *filter(None, [told(found.best) if found.best else ""])],
        "alternatives": [plain(row) | {"why": why} for row, why in found.alternatives],
        "considered": found.considered,
        "load": _load(settings),
        "wish": {name: value for name, value in asdict(wish).items() if value is not None},
        "prices": asdict(price),
    }


def _load(settings: pl.DataFrame) -> BenchAnswer:
    return {name: settings[name][0] for name in _LOAD} if settings.height else {}


def comparison(settings: pl.DataFrame, a: str, b: str) -> BenchAnswer:
    """Compare the settings that 'device=gpu' or the like choose: {sentence, least, most, low, high, curve, …}."""
    sides = [where(settings, parse_params(side)) for side in (a, b)]
    found = at_equal_recall(*sides)
    return {
        "sentence": comparison_sentence(found, a, b),
        "least": found.least,
        "most": found.most,
        "told_apart": found.told_apart,
        "low": found.low,
        "high": found.high,
        "both_from": found.both_from,
        "load": _load(settings),
        "curve": found.curve.to_dicts(),
    }


def fronts(settings: pl.DataFrame, objective: str) -> BenchAnswer:
    """Give the front of settings under one load: {objective, load, rows}."""
    known = [name for name in OBJECTIVES if name in settings.columns]
    if objective not in known:
        raise UserError(
            f"There is no front of '{objective}': choose {', '.join(known)}.{did_you_mean(objective, known)}"
        )
    rows = front(settings, objective, by=("scenario",))
    return {"objective": objective, "load": _load(settings), "rows": [plain(row) for row in rows.iter_rows(named=True)]}


def published_answer() -> BenchAnswer:
    """Tell the published study again: {source, scenarios, lessons}."""
    scenarios = [
        {
            "scenario": one.scenario,
            "published": list(one.published),
            "same_type": [one.same_type.least, one.same_type.most],
            "best": [one.best.least, one.best.most],
            "sentences": [
                comparison_sentence(one.same_type, "GPU_IVF_PQ", "IVF_PQ"),
                comparison_sentence(one.best, "The GPU", "the CPU's best"),
            ],
        }
        for one in fair()
    ]
    return {"source": SOURCE, "scenarios": scenarios, "lessons": lessons()}
