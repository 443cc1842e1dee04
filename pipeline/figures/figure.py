"""The one look of all figures: a template for light and dark, an empty figure with its title, and its axes."""

import math
import textwrap
from collections.abc import Iterable
from typing import Any, TypeAlias

import plotly.graph_objects as go
import plotly.io as pio

from pipeline.core.text import number
from pipeline.figures.theme import PALETTES, Palette

Figure: TypeAlias = go.Figure
SAVED_WIDTH = 1100  # px of the picture that Plotly's camera saves, the one width that is known before
_SAVED_COLUMNS = 130  # characters of a title in one line of it
_LINE_PX = 22
_BAR_PX = 34  # above the plot, for Plotly's bar
_FEWEST_TICKS = 4
_LEAST_SHARE = 0.02  # an axis of shares spans at least so much
_SHARE_PAD = 0.03  # of what it spans: less than from one tick to the next
_LEAST_APART = 0.12  # of an axis' length: labels of ticks that are nearer would lie over each other


def _template(palette: Palette) -> go.layout.Template:
    axis = {
        "gridcolor": palette.grid,
        "zeroline": False,
        "linecolor": palette.grid,
        "title": {"standoff": 12, "font": {"size": 14}},
        "automargin": True,
        "ticklabelstandoff": 5,  # else the first label of one axis lies over the first of the other
    }
    return go.layout.Template(
        layout={
            "font": {"family": "Source Sans, sans-serif", "size": 14, "color": palette.text},
            "title": {"font": {"size": 17}, "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "yref": "container"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": palette.categories,
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 10, "r": 10, "b": 10},
            # At the container's foot Plotly makes room for it under the axis' title, however many rows it has
            "legend": {"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
            "hoverlabel": {"font": {"size": 13}},
        }
    )


for _mode, _palette in PALETTES.items():
    pio.templates[f"road-{_mode}"] = _template(_palette)


def blank(mode: str, title: str, height: int = 340, *, legend: bool = True) -> tuple[Figure, Palette]:
    """Give a figure with nothing but its title (the finding), and the colours of its mode.

    The title is drawn in a saved picture only: a page writes it above the figure (`app/parts/draw.py`), where it wraps.
    """
    lines = textwrap.wrap(title, _SAVED_COLUMNS)
    return go.Figure(
        layout={
            "template": f"road-{mode}",
            # Plotly hangs a title of several lines by its last one: the pad makes room for those above it
            "title": {"text": "<br>".join(lines), "pad": {"t": _LINE_PX * (len(lines) - 1)}},
            "height": height,
            "margin": {"t": _BAR_PX + _LINE_PX * (len(lines) - 1)},
            "showlegend": legend,
        }
    ), PALETTES[mode]


def title(figure: Figure) -> str:
    """Give a figure's title as one line of text."""
    return str(figure.layout.title.text or "").replace("<br>", " ")


def saving(figure: Figure, name: str = "figure") -> dict[str, Any]:
    """Give Plotly's configuration: its camera saves the figure as PNG in the browser, without a network."""
    picture = {"format": "png", "scale": 2, "filename": name, "width": SAVED_WIDTH, "height": figure.layout.height}
    removed = ["select2d", "lasso2d"]
    return {"displaylogo": False, "modeBarButtonsToRemove": removed, "toImageButtonOptions": picture}


def log_axis(values: Iterable[float | None], title: str) -> dict[str, Any]:
    """Give a logarithmic axis around values, with ticks at 1, at 1, 2 and 5, or at all digits: four at least, or all."""
    known = [value for value in values if value is not None and value > 0] or [1.0]
    low, high = math.log10(min(known)) - 0.08, math.log10(max(known)) + 0.12
    ticks: list[float] = []
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        if len(ticks) < _FEWEST_TICKS:
            decades = range(math.floor(low), math.ceil(high) + 1)
            ticks = [s * 10.0**d for d in decades for s in steps if low <= math.log10(s) + d <= high]
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": [number(tick) for tick in ticks],
        "title": {"text": f"{title}, logarithmic"},
    }


def few(values: Iterable[float]) -> list[float]:
    """Leave out of a logarithmic axis' ticks those whose labels would lie over the one before."""
    known = sorted({value for value in values if value > 0})
    least = (known[-1] / known[0]) ** _LEAST_APART if known else 1.0
    kept: list[float] = []
    for value in known:
        if not kept or value >= kept[-1] * least:
            kept.append(value)
    return kept


def share_range(low: float, high: float) -> list[float]:
    """Give the range of an axis of shares from low to high: a little more at both ends, and no tick above 1 or below 0.

    Plotly draws a single share in the middle of an axis from one below to one above it.
    """
    low = max(0.0, min(low, high - _LEAST_SHARE))
    pad = _SHARE_PAD * (high - low)
    return [low - pad, high + pad]
