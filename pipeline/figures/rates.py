"""The figure of open loops: how long requests take when they come at a given rate, as visitors do."""

import polars as pl

from pipeline.bench.analysis.settings import fresh, label
from pipeline.core.text import number
from pipeline.figures.benchmark import OUT_OF_DATE, traced
from pipeline.figures.figure import Figure, blank, few, log_axis
from pipeline.figures.marks import series

KEPT = 0.97  # of what was offered has to be answered for a rate to be called kept
_ONE = ("run", "device", "index", "client", "scenario", "nq", "top_k", "concurrency")
_SETTING = (*_ONE, "build", "search")
_LINES = (("p99_ms", "solid", 9), ("p95_ms", "dash", 0), ("p50_ms", "dot", 0))


def rates(settings: pl.DataFrame, mode: str, target: float = 0.95) -> Figure:
    """Draw p50, p95 and p99 by the rate that was offered, for each index type's setting that bears most.

    That is, of those with the recall, the one that keeps the highest rate, and then has the least p99. `settings` are
    those of open loops. A cross marks a rate that was not kept: requests waited, and would have waited longer.
    """
    rows = _best(settings.filter((pl.col("loop") == "open") & (pl.col("recall") >= target)).drop_nulls("p99_ms"))
    figure, palette = blank(mode, _finding(rows, settings, target), 440)
    for one in series(rows, palette):
        ordered = one.rows.sort("rate")
        for column, dash, size in _LINES:
            first = size > 0
            figure.add_scatter(
                x=ordered["rate"],
                y=ordered[column],
                mode="lines+markers" if first else "lines",
                line={"color": one.colour, "dash": dash, "width": 2 if first else 1.4},
                marker=one.marker(size) if first else None,
                name=one.name,
                legendgroup=one.name,
                showlegend=first,
                **(traced(ordered) if first else {"hoverinfo": "skip"}),
            )
    late = rows.filter(~pl.col("kept"))
    if late.height:
        figure.add_scatter(
            x=late["rate"],
            y=late["p99_ms"],
            mode="markers",
            marker={"symbol": "x", "size": 13, "color": palette.missed},
            name="the rate was not kept: requests waited",
            hoverinfo="skip",
        )
    shown = [value for column, *_ in _LINES for value in rows[column]]
    offered = few(rows["rate"])
    figure.update_layout(xaxis_title="requests offered per second", yaxis=log_axis(shown, "time of a request (ms)"))
    figure.update_xaxes(type="log", tickvals=offered, ticktext=[number(rate) for rate in offered])
    return figure


def _best(settings: pl.DataFrame) -> pl.DataFrame:
    """Keep one setting of each index type and load, with all its rates; the column `kept` says which it kept."""
    known = settings.with_columns((pl.col("qps") >= KEPT * pl.col("rate") * pl.col("nq")).alias("kept"))
    bears = pl.col("rate").filter(pl.col("kept")).max().fill_null(0)
    ranked = known.group_by(_SETTING, maintain_order=True).agg(
        bears.alias("bears"), pl.col("p99_ms").min().alias("least")
    )
    ranked = ranked.sort(["bears", "least"], descending=[True, False])
    chosen = ranked.unique(_ONE[:4], keep="first", maintain_order=True)
    return known.join(chosen.select(_SETTING), on=_SETTING, how="semi")


def _finding(rows: pl.DataFrame, settings: pl.DataFrame, target: float) -> str:
    if rows.is_empty():
        most = f": the highest is {max(settings['recall']):.3f}" if settings.height else ""
        return f"No setting reaches recall {target:g} at a given rate{most}"
    rows = fresh(rows)
    if rows.is_empty():
        return OUT_OF_DATE
    kept = rows.filter("kept").sort(["rate", "p99_ms"], descending=[True, False])
    if kept.is_empty():
        return f"No setting keeps up with {number(min(rows['rate']))} requests a second, the lowest rate offered"
    best = kept.row(0, named=True)
    return f"{label(best)} keeps up with {number(best['rate'])} requests a second: p99 {number(best['p99_ms'])} ms"
