"""Figures of models: how one learns, how far each foresees the next click, and for which sessions and items."""

import math
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

from pipeline.core.spread import MAYBE_CHANCE, kept, told_apart
from pipeline.figures.figure import Figure, blank, share_range
from pipeline.figures.theme import PALETTES

Figures: TypeAlias = dict[str, dict[str, float]]  # model -> measure -> value
Bounds: TypeAlias = dict[str, dict[str, tuple[float, float]]]  # model -> measure -> 95 % interval
_VALIDATION = "validation_recall@20"
_HOLLOW = ("circle-open", "square-open", "diamond-open", "x-open")


def training(points: Sequence[dict[str, float]], mode: str) -> Figure:
    """Draw loss and validation recall of one training; points as the job's curve has them."""
    loss, recall = _drawn(points, "loss"), _drawn(points, _VALIDATION)
    best = max(recall, key=lambda p: p[1]) if recall else None
    title = (
        f"Validation recall@20 reached {best[1]:.3f}"
        if best
        else "The loss so far; recall is measured after each epoch"
    )
    figure, palette = blank(mode, title)
    figure.add_scatter(
        x=[p[0] for p in loss], y=[p[1] for p in loss], name="loss (training)", line={"color": palette.exact}
    )
    if recall:
        figure.add_scatter(
            x=[p[0] for p in recall],
            y=[p[1] for p in recall],
            name="recall@20 (validation)",
            mode="lines+markers",
            yaxis="y2",
            line={"color": palette.cpu},
            marker={"size": 8},
        )
    figure.update_layout(
        xaxis_title="training step (batches)",
        yaxis_title="loss",
        yaxis2={"title": "recall@20", "overlaying": "y", "side": "right", "showgrid": False}
        | _from_zero([p[1] for p in recall]),
    )
    return figure


def _drawn(points: Sequence[dict[str, float]], measure: str) -> list[tuple[float, float]]:
    """Give (step, value) of the points that have a number there."""
    return [(p["step"], p[measure]) for p in points if p.get(measure) is not None and math.isfinite(p[measure])]


def trainings(curves: Mapping[str, Sequence[dict[str, float]]], mode: str, *, alike: bool = True) -> Figure:
    """Compare trainings, {name: points}: validation recall@20 above, loss below, over the same steps.

    Those of different models or data are not `alike`: they hold out other sessions, so none is called the best.
    """
    title = _best_training(curves) if alike else f"{len(curves)} trainings, each validated on different sessions"
    figure, palette = blank(mode, title, 560)
    figure.set_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.58, 0.42])
    for (name, points), colour in zip(curves.items(), palette.categories, strict=False):
        for row, measure in ((1, _VALIDATION), (2, "loss")):
            drawn = _drawn(points, measure)
            figure.add_scatter(
                x=[step for step, _ in drawn],
                y=[value for _, value in drawn],
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                mode="lines+markers" if row == 1 else "lines",
                line={"color": colour},
                marker={"size": 8},
                hovertemplate="step %{x:,}: %{y:.3f}<extra>%{fullData.name}</extra>",
                row=row,
                col=1,
            )
    figure.update_layout(yaxis_title="recall@20", yaxis2_title="loss", xaxis2_title="training step (batches)")
    reached = [value for points in curves.values() for _, value in _drawn(points, _VALIDATION)]
    if reached:
        figure.update_layout(yaxis_range=share_range(min(reached), max(reached)))
    return figure


def _from_zero(shares: Collection[float]) -> dict[str, Any]:
    """Give the range of an axis of shares that begins at 0."""
    return {"range": [0, 1.1 * max(shares, default=0) or 1]}


def _best_training(curves: Mapping[str, Sequence[dict[str, float]]]) -> str:
    """Say what the two best trainings reached on the sessions held out: one training each tells of no spread."""
    drawn = {name: [value for _, value in _drawn(points, _VALIDATION)] for name, points in curves.items()}
    found = {name: max(values) for name, values in drawn.items() if values}
    if not found:
        return "No training is validated yet"
    first, *others = sorted(found, key=lambda name: -found[name])
    best = f"{first}: validation recall@20 reached {found[first]:.3f}"
    if not others:
        return best
    if f"{found[first]:.3f}" == f"{found[others[0]]:.3f}":
        return f"{best}, and so did {others[0]}"
    return f"{best}, {others[0]} {found[others[0]]:.3f}; between two trainings that {MAYBE_CHANCE}"


def evaluation(
    models: Figures,
    bounds: Bounds,
    titles: dict[str, str],
    baselines: Collection[str],
    mode: str,
    measure: str = "recall@20",
    certain: Collection[tuple[str, str]] = (),
) -> Figure:
    """Compare models by one measure on the test sessions, with 95 % intervals; baselines are grey.

    `certain` are pairs (better, other) that differ by more than chance on the same sessions: without them, intervals
    that overlap are not called different.
    """
    models = {name: figures for name, figures in models.items() if math.isfinite(figures[measure])}
    ranked = sorted(models, key=lambda m: models[m][measure])
    figure, palette = blank(
        mode, _comparison(models, bounds, titles, ranked, measure, certain), 110 + 38 * len(ranked), legend=False
    )
    colours = model_colours(models, baselines, mode)
    most = 0.0
    for model in ranked:
        name, value = titles.get(model, model), models[model][measure]
        low, high = bounds.get(model, {}).get(measure, (value, value))
        most = max(most, high)
        figure.add_bar(
            x=[value],
            y=[name],
            name=name,
            orientation="h",
            marker_color=colours[model],
            error_x={"array": [high - value], "arrayminus": [value - low], "color": palette.text, "thickness": 1.5},
            customdata=[[low, high]],
            hovertemplate="%{x:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})<extra>%{y}</extra>",
        )
        figure.add_annotation(x=high, y=name, text=f"{value:.3f}", showarrow=False, xanchor="left", xshift=6)
    figure.update_layout(xaxis_title=f"{measure}, mean over next clicks", bargap=0.35, xaxis_range=[0, most * 1.18])
    return figure


def model_colours(models: Iterable[str], baselines: Collection[str], mode: str) -> dict[str, str]:
    """Give each model its colour: grey to what others are measured against, one of eight to any other."""
    palette = PALETTES[mode]
    listed = list(models)
    coloured = dict(zip([m for m in listed if m not in baselines], palette.categories, strict=False))
    return {m: coloured.get(m, palette.exact) for m in listed}


def _comparison(
    models: Figures,
    bounds: Bounds,
    titles: dict[str, str],
    ranked: list[str],
    measure: str,
    certain: Collection[tuple[str, str]],
) -> str:
    if not ranked:
        return "No model is measured yet"
    best = ranked[-1]
    name, value = titles.get(best, best), f"{models[best][measure]:.3f}"
    if len(ranked) == 1:
        return f"{name}: {measure} {value}"
    second = ranked[-2]
    other, its = titles.get(second, second), f"{models[second][measure]:.3f}"
    if value == its:
        return f"{name} and {other} are level with {measure} {value}"
    if (best, second) in certain or _apart(models, bounds, best, second, measure):
        return f"{name} leads with {measure} {value}, ahead of {other} with {its}"
    return f"{name} has {measure} {value}, {other} {its}: the difference {MAYBE_CHANCE}"


def _apart(models: Figures, bounds: Bounds, one: str, other: str, measure: str) -> bool:
    """Tell whether the intervals of two models are known and do not overlap."""
    first, second = (
        kept(models[name][measure], *bounds.get(name, {}).get(measure, (None, None))) for name in (one, other)
    )
    return told_apart(first, [second])


def slices(
    rows: pl.DataFrame, titles: dict[str, str], baselines: Collection[str], mode: str, measure: str, name: str
) -> Figure:
    """Draw a measure by parts of the examples; rows: model, part, examples, mean, low, high, the parts in order."""
    models = rows["model"].unique(maintain_order=True).to_list()
    parts = rows.unique("part", keep="first", maintain_order=True).select("part", "examples").rows()
    figure, _ = blank(mode, _spread(rows, titles, measure, name), 460)
    colours = model_colours(models, baselines, mode)
    marks = dict(zip([m for m in models if m in baselines], _HOLLOW, strict=False))
    for model in models:
        part = rows.filter(pl.col("model") == model)
        figure.add_scatter(
            x=part["part"],
            y=part["mean"],
            name=titles.get(model, model),
            mode="lines+markers",
            line={"color": colours[model], "width": 1.5 if model in baselines else 3},
            marker={"symbol": marks.get(model, "circle"), "size": 8},
            error_y={"array": part["high"] - part["mean"], "arrayminus": part["mean"] - part["low"], "thickness": 1},
            customdata=part.select("low", "high", "examples").rows(),
            hovertemplate="%{x}: %{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f}), "
            "%{customdata[2]:,} next clicks<extra>%{fullData.name}</extra>",
        )
    ticks = ["<br>".join([*textwrap.wrap(part, 8), f"{count:,}"]) for part, count in parts]
    figure.update_layout(xaxis_title=f"{name}, with the number of next clicks", yaxis_title=measure)
    figure.update_xaxes(
        type="category", tickangle=0, tickfont={"size": 12}, tickvals=[part for part, _ in parts], ticktext=ticks
    )
    figure.update_yaxes(_from_zero([m for m in rows["high"] if math.isfinite(m)]))
    return figure


def _spread(rows: pl.DataFrame, titles: dict[str, str], measure: str, name: str) -> str:
    """Say where the model that is best overall is at its best and at its worst."""
    weighted = (pl.col("mean") * pl.col("examples")).sum().alias("total")
    ranked = rows.group_by("model", maintain_order=True).agg(weighted).sort("total")
    if ranked.is_empty():
        return f"{measure} by {name}: nothing is measured yet"
    best = ranked["model"][-1]
    own = rows.filter((pl.col("model") == best) & (pl.col("high") > 0) & pl.col("mean").is_finite()).sort("mean")
    if own.height < 2:
        return f"{measure} by {name}"
    low, high = own.row(0, named=True), own.row(-1, named=True)
    told = (
        f"{titles.get(best, best)} by {name}: {measure} from {low['mean']:.2f} ({low['part']}) "
        f"to {high['mean']:.2f} ({high['part']})"
    )
    return told if high["low"] > low["high"] else f"{told}, which {MAYBE_CHANCE}"
