"""Figures as functions of tables; a title says the finding, axes say the unit."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from pipeline.core.columns import CATEGORY, ITEM_ID
from pipeline.core.spread import MAYBE_CHANCE, Spread, kept, told_apart
from pipeline.core.text import category, percent
from pipeline.figures.figure import Figure, blank, share_range
from pipeline.figures.marks import index_colour, symbol
from pipeline.figures.theme import OTHER, Palette

_MOST_CATEGORIES = 8
_RECALL = 0.95
_MOST_SVG = 3_000  # points; WebGL takes most of a second to begin, and stays quick above


def item_map(
    points: pl.DataFrame,
    mode: str,
    path: Sequence[str] = (),
    found: Sequence[str] = (),
) -> Figure:
    """Draw the items (item_id, x, y, category, name), a session's path over them and the items found by a search."""
    common = points[CATEGORY].value_counts(sort=True)[CATEGORY].head(_MOST_CATEGORIES).to_list()
    figure, palette = blank(mode, _map_title(points), 620)
    colours = dict(zip(common, palette.categories, strict=False)) | {OTHER: palette.exact}
    grouped = points.with_columns(
        pl.when(pl.col(CATEGORY).is_in(common)).then(pl.col(CATEGORY)).otherwise(pl.lit(OTHER)).alias("group")
    )
    # The overlays are drawn as the dots are: WebGL and SVG in one figure would put one of them beneath
    add = figure.add_scattergl if points.height > _MOST_SVG else figure.add_scatter
    for group in [*common, OTHER]:
        part = grouped.filter(pl.col("group") == group)
        if part.height:
            _dots(add, part, category(group) or "no category", colours[group])
    _overlay(add, points, list(found), palette, "found", "circle-open", line=False)
    _overlay(add, points, list(path), palette, "the session", "star", line=True)
    hidden = {"visible": False}
    figure.update_layout(xaxis=hidden, yaxis={**hidden, "scaleanchor": "x"}, dragmode="pan")
    return figure


def _map_title(points: pl.DataFrame) -> str:
    return f"{points.height:,} items; those clicked in the same sessions lie close together"


def _dots(add: Callable[..., Any], part: pl.DataFrame, name: str, colour: str) -> None:
    size = 9 if part.height < 500 else 5
    add(
        x=part["x"],
        y=part["y"],
        mode="markers",
        name=name,
        marker={"color": colour, "size": size, "opacity": 0.85},
        text=part["name"] if "name" in part.columns else part[ITEM_ID].cast(pl.String),
        customdata=part[ITEM_ID].cast(pl.String),
        hovertemplate="%{text}<br>item %{customdata}<extra>" + name + "</extra>",
    )


def _overlay(
    add: Callable[..., Any],
    points: pl.DataFrame,
    ids: list[str],
    palette: Palette,
    name: str,
    symbol: str,
    *,
    line: bool,
) -> None:
    where = {str(i): (x, y) for i, x, y in points.select(ITEM_ID, "x", "y").iter_rows()}
    there = [i for i in ids if i in where]
    if not there:
        return
    ends = ["first click", *[""] * (len(there) - 2), "last click"] if len(there) > 1 else ["the click"]
    ends_at = _clear(where[there[0]], where[there[-1]])
    add(
        x=[where[i][0] for i in there],
        y=[where[i][1] for i in there],
        mode="lines+markers+text" if line else "markers",
        text=ends if line else None,
        textposition=[ends_at[0], *["top center"] * (len(there) - 2), ends_at[1]][: len(there)],
        name=name,
        line={"color": palette.session, "dash": "dot"},
        marker={"symbol": symbol, "size": 15, "color": palette.session, "line": {"width": 2, "color": palette.session}},
        hovertext=there,
        hoverinfo="text+name",
    )


def _clear(first: tuple[float, float], last: tuple[float, float]) -> list[str]:
    """Place the names of a path's ends where neither lies over the other: the upper one above, the lower one below."""
    above, below = "top center", "bottom center"
    return [above, below] if first[1] >= last[1] else [below, above]


def histogram(values: pl.DataFrame, mode: str, title: str, x_title: str, y_title: str) -> Figure:
    """Draw counts (value, count) as bars."""
    figure, palette = blank(mode, title, 300, legend=False)
    figure.add_bar(x=values["value"], y=values["count"], marker_color=palette.cpu)
    figure.update_layout(xaxis_title=x_title, yaxis_title=y_title, bargap=0.1)
    return figure


def long_tail(counts: pl.Series, mode: str) -> Figure:
    """Draw what share of all clicks the most clicked items take; `counts` are clicks an item."""
    ordered = counts.sort(descending=True)
    share = (ordered.cum_sum() / ordered.sum() * 100).to_list() if ordered.sum() else []
    top = max(1, round(len(share) * 0.1))
    title = (
        f"The top 10 % of items take {percent(share[top - 1] / 100)} of the clicks"
        if share
        else "No item is clicked yet"
    )
    figure, palette = blank(mode, title, 300, legend=False)
    step = max(1, len(share) // 400)
    x = [(i + 1) / len(share) * 100 for i in range(0, len(share), step)]
    figure.add_scatter(x=x, y=share[::step], mode="lines", line={"color": palette.cpu, "width": 3}, name="items")
    figure.update_layout(xaxis_title="items, most clicked first (%)", yaxis_title="clicks (%)")
    return figure


def published_devices(best: pl.DataFrame, recall: float, mode: str) -> Figure:
    """Draw published QPS of CPU and GPU by scenario, hollow; `best`: scenario, device, index, recall, qps."""
    sides = (best.filter(pl.col("device") == device) for device in ("gpu", "cpu"))
    both = next(sides).join(next(sides), on="scenario", suffix="_cpu").drop_nulls(["qps", "qps_cpu"])
    times = (both["qps"] / both["qps_cpu"]).sort().to_list()
    title = f"No scenario has published figures of both, CPU and GPU, at recall ≥ {recall}"
    if times:
        title = (
            f"At recall ≥ {recall}, an A100 answered {times[0]:.1f} to {times[-1]:.1f} times the queries of 96 cores"
        )
    figure, palette = blank(mode, title, 320)
    for device, name, colour in (("cpu", "CPU", palette.cpu), ("gpu", "GPU", palette.gpu)):
        part = best.filter(pl.col("device") == device)
        figure.add_bar(
            x=part["scenario"],
            y=part["qps"],
            name=f"{name}, published 2023",
            marker={"color": "rgba(0,0,0,0)", "line": {"color": colour, "width": 2}},
            text=[f"{q:,.0f}" for q in part["qps"]],
            textposition="outside",
            cliponaxis=False,
            customdata=part.select("index", "recall").rows(),
            hovertemplate="%{customdata[0]}, recall %{customdata[1]:.3f}: %{y:,.0f} QPS<extra></extra>",
        )
    figure.update_layout(barmode="group", yaxis_title="QPS, logarithmic", bargap=0.35)
    figure.update_yaxes(type="log", range=[2, 5.2], dtick=1)
    return figure


def index_quality(rows: Sequence[dict[str, Any]], mode: str) -> Figure:
    """Draw recall@10 against p50 of built indexes; rows: name, index, recall@10, p50_ms with its low and high, device.

    What is out of date (`stale`) is drawn hollow and faint, and never wins.
    """
    figure, palette = blank(mode, _quickest(rows), 360)
    both = len({row.get("device") for row in rows}) > 1
    for row in rows:
        gpu, stale = row.get("device") == "gpu", bool(row.get("stale"))
        mark = ("diamond" if gpu else "circle") if both else symbol(row["index"])
        colour = (palette.gpu if gpu else palette.cpu) if both else index_colour(row["index"], palette)
        about = ", out of date" if stale else ""
        figure.add_scatter(
            x=[row["recall@10"]],
            y=[row["p50_ms"]],
            mode="markers",
            name=f"{row['name']}{about}",
            cliponaxis=False,
            marker={"size": 13, "color": colour, "symbol": mark + ("-open" if stale else "")},
            opacity=0.5 if stale else 1,
            hovertemplate=f"{row['name']}{about}<br>recall@10 %{{x:.3f}}<br>p50 %{{y:.2f}} ms<extra></extra>",
        )
    figure.update_layout(xaxis_title="recall@10 against the exact search", yaxis_title="p50 of one query (ms)")
    if rows:
        reached = [row["recall@10"] for row in rows]
        figure.update_xaxes(range=share_range(min(reached), max(reached)))
    figure.update_yaxes(range=[0, 1.2 * max((row["p50_ms"] for row in rows), default=1)])
    return figure


def _quickest(rows: Sequence[dict[str, Any]]) -> str:
    """Say which index is the quickest above the recall, or which may be as quick."""
    known = [row for row in rows if not row.get("stale") and math.isfinite(row["p50_ms"])]
    if not known:
        return "Every index is out of date: build them again to compare" if rows else "No index is measured yet"
    good = sorted((row for row in known if row["recall@10"] >= _RECALL), key=lambda row: float(row["p50_ms"]))
    if not good:
        return f"No index reaches recall {_RECALL}"
    first, *others = good
    if not others:
        return f"{first['name']} is the only index with recall ≥ {_RECALL}: {_ms(first['p50_ms'])}"
    other = next((row for row in others if not told_apart(_p50(first), [_p50(row)], _ms)), None)
    if other is None:
        return f"{first['name']} has the lowest latency at recall ≥ {_RECALL}: {_ms(first['p50_ms'])}"
    if _ms(first["p50_ms"]) == _ms(other["p50_ms"]):
        return (
            f"{first['name']} and {other['name']} have the same latency at recall ≥ {_RECALL}: {_ms(first['p50_ms'])}"
        )
    return (
        f"At recall ≥ {_RECALL}, {first['name']} came first with {_ms(first['p50_ms'])}, ahead of "
        f"{other['name']} with {_ms(other['p50_ms'])}; that {MAYBE_CHANCE}"
    )


def _p50(row: dict[str, Any]) -> Spread:
    """Give an index's p50 with its interval, which those that were built long ago did not keep."""
    return kept(row["p50_ms"], row.get("p50_ms_low"), row.get("p50_ms_high"))


def _ms(value: float) -> str:
    return f"{value:.1f} ms"
