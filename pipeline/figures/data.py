"""Figures of a log and of what is kept of it; a title says the finding, axes say the unit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.text import clipped, number, percent
from pipeline.figures.figure import Figure, blank

_MOST_CATEGORIES = 12


def clicks_by_day(days: pl.DataFrame, mode: str) -> Figure:
    """Draw clicks by day (day, clicks)."""
    busiest = days.sort("clicks", "day", descending=[True, False]).row(0) if days.height else ("", 0)
    title = f"The busiest day is {busiest[0]}, with {number(busiest[1])} clicks" if days.height else "There is no click"
    figure, palette = blank(mode, title, 300, legend=False)
    figure.add_bar(x=days["day"], y=days["clicks"], marker_color=palette.cpu)
    figure.update_layout(xaxis_title="day (UTC)", yaxis_title="clicks", bargap=0.1)
    return figure


def popularity(counts: pl.Series, mode: str) -> Figure:
    """Draw each item's clicks by its rank, both logarithmic; `counts` are clicks an item."""
    ordered = counts.sort(descending=True)
    once = percent(int((ordered == 1).sum()) / len(ordered)) if len(ordered) else "0 %"
    title = "No item is clicked yet"
    if len(ordered):
        title = f"The most clicked item has {number(ordered[0])} clicks, and {once} of the items have one"
    figure, palette = blank(mode, title, 300, legend=False)
    ranks = np.unique(np.geomspace(1, max(len(ordered), 1), 300).astype(int))[: len(ordered)]
    figure.add_scatter(
        x=ranks, y=ordered.gather(ranks - 1), mode="lines", line={"color": palette.cpu, "width": 3}, name="items"
    )
    figure.update_layout(xaxis_title="item by its rank, logarithmic", yaxis_title="clicks, logarithmic")
    figure.update_xaxes(type="log", dtick=1)
    figure.update_yaxes(type="log", dtick=1)
    return figure


def categories(counts: pl.DataFrame, mode: str) -> Figure:
    """Draw the clicks of the commonest categories (category, clicks); None is what has no category."""
    known = counts.drop_nulls("category").sort("clicks", "category", descending=[True, False])
    total = int(counts["clicks"].sum())
    top = known.head(_MOST_CATEGORIES)
    title = f"{number(known.height)} {'category' if known.height == 1 else 'categories'}"
    if total and top.height:
        first, count = top.select("category", "clicks").row(0)
        title += f", of which “{clipped(str(first), 40)}” takes most: {percent(count / total)} of the clicks"
    figure, palette = blank(mode, title if known.height else "No item has a category", 300, legend=False)
    shown = top.reverse()
    figure.add_bar(x=shown["clicks"], y=shown["category"], orientation="h", marker_color=palette.cpu)
    figure.update_layout(xaxis_title="clicks", bargap=0.25)
    figure.update_yaxes(type="category")
    return figure


def kept(steps: Sequence[dict[str, Any]], mode: str) -> Figure:
    """Draw the clicks that each step leaves; steps: why, clicks, sessions, items."""
    first, last = steps[0]["clicks"], steps[-1]["clicks"]
    title = (
        f"{number(100 * last / first)} % of {number(first)} clicks are kept" if first else "There was no click to keep"
    )
    figure, palette = blank(mode, title, 120 + 44 * len(steps), legend=False)
    shown = list(reversed(steps))
    figure.add_bar(
        x=[step["clicks"] for step in shown],
        y=[after(step, index=len(steps) - 1 - n) for n, step in enumerate(shown)],
        orientation="h",
        marker_color=palette.cpu,
        text=[number(step["clicks"]) for step in shown],
        hovertemplate="%{y}: %{x:,} clicks<extra></extra>",
    )
    figure.update_layout(xaxis_title="clicks left", bargap=0.3)
    return figure


def after(step: dict[str, Any], index: int) -> str:
    """Name what is left after a step."""
    return "read" if index == 0 else f"without {step['why'][:1].lower()}{step['why'][1:]}"


def timeline(days: pl.DataFrame, boundary: str, mode: str) -> Figure:
    """Draw the sessions of both parts by the day on which they ended (day, part, sessions)."""
    tested = int(days.filter(pl.col("part") == "test")["sessions"].sum())
    share = percent(tested / max(int(days["sessions"].sum()), 1))
    figure, palette = blank(mode, f"The last {share} of the sessions are for testing", 300)
    for part, name, colour in (("train", "training", palette.cpu), ("test", "test", palette.session)):
        some = days.filter(pl.col("part") == part)
        figure.add_bar(x=some["day"], y=some["sessions"], name=name, marker_color=colour)
    figure.add_vline(x=boundary, line_dash="dot", line_color=palette.text)
    figure.update_layout(barmode="stack", xaxis_title="day on which sessions ended (UTC)", yaxis_title="sessions")
    return figure
