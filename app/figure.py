"""The one look of all figures: a template for light and dark, and an empty figure with a title that wraps."""

import math
import textwrap
from collections.abc import Iterable
from typing import Any, TypeAlias

import plotly.graph_objects as go
import plotly.io as pio

from app.theme import PALETTES, Palette
from pipeline.text import number

Figure: TypeAlias = go.Figure
_TITLE_COLUMNS = 40  # what a phone of 390 px shows in one line
_LINE_PX = 22
_FEWEST_TICKS = 4


def _template(palette: Palette) -> go.layout.Template:
    axis = {
        "gridcolor": palette.grid,
        "zeroline": False,
        "linecolor": palette.grid,
        "title": {"standoff": 12, "font": {"size": 14}},
        "automargin": True,
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
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
            "hoverlabel": {"font": {"size": 13}},
        }
    )


for _mode, _palette in PALETTES.items():
    pio.templates[f"road-{_mode}"] = _template(_palette)


def blank(mode: str, title: str, height: int = 340, *, legend: bool = True) -> tuple[Figure, Palette]:
    """Give a figure with nothing but its title (the finding), and the colours of its mode."""
    lines = textwrap.wrap(title, _TITLE_COLUMNS)
    top = _LINE_PX * len(lines) + (46 if legend else 34)
    return go.Figure(
        layout={
            "template": f"road-{mode}",
            # Plotly hangs a title of several lines by its last one: the pad makes room for those above it
            "title": {"text": "<br>".join(lines), "pad": {"t": _LINE_PX * (len(lines) - 1)}},
            "height": height,
            "margin": {"t": top},
            "showlegend": legend,
        }
    ), PALETTES[mode]


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


def legend_below(figure: Figure) -> None:
    """Put the legend under the figure, where several rows of it meet no title."""
    figure.update_layout(legend={"x": 0, "xanchor": "left", "y": -0.2, "yanchor": "top"})
