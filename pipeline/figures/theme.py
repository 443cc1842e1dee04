"""Colours carry meaning, everywhere the same; data only, so that a page can paint before Plotly is loaded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """The colours of one mode."""

    text: str
    quiet: str
    grid: str
    cpu: str
    gpu: str
    exact: str
    missed: str
    session: str
    categories: tuple[str, ...]


LIGHT = Palette(
    text="#1C2430",
    quiet="#5B6674",
    grid="#E6EAF0",
    cpu="#1F6FEB",
    gpu="#5B8C00",
    exact="#6B7280",
    missed="#D1242F",
    session="#BF8700",
    categories=("#7B5EA7", "#009E8E", "#C4558F", "#2B4C7E", "#8C5A3C", "#56B4D3", "#A3A13B", "#E08A6D"),
)
DARK = Palette(
    text="#E6EBF1",
    quiet="#9AA7B5",
    grid="#2C3745",
    cpu="#6CA8FF",
    gpu="#9BD13B",
    exact="#9CA3AF",
    missed="#FF7B72",
    session="#E3B341",
    categories=("#B79AE0", "#2CC5B3", "#EE8FC0", "#4F7CC4", "#C08A66", "#8AD8F2", "#C9C766", "#FFD0BC"),
)
PALETTES = {"light": LIGHT, "dark": DARK}
OTHER = "other"
