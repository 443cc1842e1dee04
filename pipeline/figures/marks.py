"""How a benchmark's settings are marked in figures: a colour, a symbol and a dash each series, and what hovering says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.bench.analysis.settings import STALE, load_label, marked, spread
from pipeline.bench.published import NAME as PUBLISHED
from pipeline.bench.quality import told
from pipeline.core.text import number
from pipeline.figures.theme import Palette
from pipeline.search.catalogue import CATALOGUE

_BY = ("run", "device", "index", "client")
_DASH = {"graph": "solid", "ivf": "dash", "flat": "dot", "auto": "dashdot"}
_SYMBOL = {"graph": "circle", "ivf": "square", "flat": "x", "auto": "hexagon"}
_RUN_DASH = ("solid", "dash", "dot", "dashdot")
CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Series:
    """The settings of one index type on one device, and how they are drawn."""

    name: str
    rows: pl.DataFrame
    colour: str
    symbol: str
    dash: str
    hollow: bool

    def marker(self, size: int, opacity: float = 1.0) -> dict[str, Any]:
        """Give Plotly's marker; what was published is hollow."""
        fill = CLEAR if self.hollow else self.colour
        return {
            "symbol": self.symbol,
            "size": size,
            "color": fill,
            "opacity": opacity,
            "line": {"color": self.colour, "width": 1.6},
        }


def series(settings: pl.DataFrame, palette: Palette) -> Iterator[Series]:
    """Part settings into series: CPU and GPU by their colours where there are both, else index types by theirs."""
    runs = settings["run"].unique(maintain_order=True).to_list()
    both = settings["device"].n_unique() > 1
    several = [name for name in _BY if settings[name].n_unique() > 1]
    for rows in settings.partition_by(_BY, maintain_order=True):
        one = rows.row(0, named=True)
        family = CATALOGUE[one["index"]].family
        dash = _DASH[family] if both else _RUN_DASH[runs.index(one["run"]) % len(_RUN_DASH)]
        if one["client"] == "pymilvus" and "client" in several:
            dash = "dot"
        yield Series(
            _name(one, several),
            rows,
            _device_colour(one["device"], palette) if both else index_colour(one["index"], palette),
            ("diamond" if one["device"] == "gpu" else "circle") if both else symbol(one["index"]),
            dash,
            one["run"] == PUBLISHED,
        )


def _name(row: dict[str, Any], several: list[str]) -> str:
    parts = [str(row["index"])]
    if "client" in several:
        parts.append("through pymilvus" if row["client"] == "pymilvus" else "raw")
    if row["run"] == PUBLISHED:
        parts.append("published, A100, 2023" if row["device"] == "gpu" else "published, 96 cores, 2023")
    elif "run" in several:
        parts.append(str(row["run"]))
    if row[STALE]:
        parts.append("out of date")
    return ", ".join(parts)


def _device_colour(device: str, palette: Palette) -> str:
    return palette.gpu if device == "gpu" else palette.cpu


def symbol(index: str) -> str:
    """Give the mark of an index type's family."""
    return _SYMBOL[CATALOGUE[index].family]


def index_colour(index: str, palette: Palette) -> str:
    """Give an index type its colour: grey where it is exact, else by its place among the types of its device."""
    entry = CATALOGUE[index]
    if entry.family == "flat":
        return palette.exact
    alike = [name for name, other in CATALOGUE.items() if other.device == entry.device and other.family != "flat"]
    return palette.categories[alike.index(index) % len(palette.categories)]


def hover(row: dict[str, Any]) -> str:
    """Say all that is known of a setting."""
    lines = [f"<b>{marked(row)}</b>", load_label(row), f"recall {row['recall']:.4f}{_sampled(row)}"]
    lines.append(f"{row['qps']:,.0f} QPS{_spread(row)}")
    if row["p50_ms"] is not None:
        lines.append("p50, p95, p99: " + ", ".join(number(row[n]) for n in ("p50_ms", "p95_ms", "p99_ms")) + " ms")
    built = [f"build {number(row['build_s'])} s"] if row["build_s"] is not None else []
    built += [f"memory ≈ {number(row['memory_mb'])} MB, estimated"] if row["memory_mb"] is not None else []
    lines += [", ".join(built)] if built else []
    if row["server_growth_mb"] is not None:
        holds, grew = (number(row[name]) for name in ("server_memory_mb", "server_growth_mb"))
        lines.append(f"the server's processes use {holds} MB, {grew} MB more than before")
    if row["client_cpu"] is not None and row["server_cpu"] is not None:
        lines.append(f"CPU: server {number(row['server_cpu'])} s, client {number(row['client_cpu'])} s")
    if quality := told(row):
        lines.append(quality.replace("; ", "<br>"))
    if row["client_bound"]:
        lines.append("<b>the client was the limit: the server can do more</b>")
    where = "published 2023" if row["run"] == PUBLISHED else f"run {row['run']}"
    return "<br>".join([*lines, f"{where}, {row['server']}, {row['device'].upper()}"])


def _sampled(row: dict[str, Any]) -> str:
    low, high = row["recall_low"], row["recall_high"]
    return f" ({low:.4f}–{high:.4f})" if high > low else ""


def _spread(row: dict[str, Any]) -> str:
    found = spread(row, "qps")
    if not found.known:
        return " (measured once)"
    how = f"{row['repeats']} times" if row["repeats"] > 1 else "by slices of one run"
    return f" ({found.low:,.0f}–{found.high:,.0f}, {how})"
