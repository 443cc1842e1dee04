"""Figures of a benchmark's settings: recall against what is wanted beside it, latency, load, and what a build takes."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from pipeline.bench.analysis.front import BEATEN, FRONT, OBJECTIVES, PLACE, front, place
from pipeline.bench.analysis.settings import fresh, label, rival, spread
from pipeline.core.spread import MAYBE_CHANCE, told_apart
from pipeline.core.text import duration, number, size, usd
from pipeline.figures.figure import Figure, blank, few, log_axis, share_range
from pipeline.figures.marks import Series, hover, series
from pipeline.figures.theme import Palette

OUT_OF_DATE = "Everything is out of date: the vectors have since been replaced"
MOST_BEATEN = 200  # of the settings that another beats, so many are drawn: each costs a browser .3 ms
KEY = ("run", "index", "build", "search")
_BY = ("run", "device", "index", "client")
_LOAD_BY = (*_BY, "scenario", "nq", "top_k", "loop")
_HOVER = "%{hovertext}<extra></extra>"


def frontier(settings: pl.DataFrame, mode: str, objective: str = "qps", target: float = 0.95) -> Figure:
    """Draw settings by recall and an objective: each index type's front as a line, what is beaten faint.

    Bars are the spread of repeats, or of slices of one run, and of sampled recall; a ring says that the client was the limit.
    """
    aim = OBJECTIVES[objective]
    known = settings.drop_nulls(objective)
    figure, palette = blank(mode, _finding(known, objective, target), 440)
    placed = place(known, objective, _BY)
    drawn = pl.concat([placed.filter(pl.col(PLACE) != BEATEN), thin(placed.filter(pl.col(PLACE) == BEATEN))])
    for one in series(drawn, palette):
        _cloud(figure, one, objective)
        _line(figure, one, objective)
    _bound(figure, drawn, objective, palette)
    figure.add_vline(x=target, line={"color": palette.exact, "dash": "dash", "width": 1})
    shown = [value for name in _ends(drawn, objective) for value in drawn[name]]
    figure.update_layout(xaxis=_recall_axis(drawn, target), yaxis=log_axis(shown, f"{aim.title} ({aim.unit})"))
    return figure


def _ends(settings: pl.DataFrame, column: str) -> list[str]:
    return [name for name in (column, f"{column}_low", f"{column}_high") if name in settings.columns]


def thin(settings: pl.DataFrame, most: int = MOST_BEATEN) -> pl.DataFrame:
    """Keep every n-th setting by recall where there are too many to draw."""
    return settings.sort("recall").gather_every(max(1, -(-settings.height // most)))


def _finding(settings: pl.DataFrame, objective: str, target: float) -> str:
    """Say which setting is best above the target; where others may be as good, that the difference may be chance."""
    if settings.is_empty():
        return f"No figures yet for {OBJECTIVES[objective].title}"
    current = fresh(settings)
    if current.is_empty():
        return OUT_OF_DATE
    good = current.filter(pl.col("recall") >= target)
    if good.is_empty():
        return f"No setting reaches recall {target:g}: the highest is {max(current['recall']):.3f}"
    aim = OBJECTIVES[objective]
    rows = list(good.sort(objective, descending=aim.more_is_better).iter_rows(named=True))
    best, told = rows[0], _told(rows[0][objective], objective)
    other = rival(rows, objective, lambda value: _told(value, objective))
    if other is None:
        return f"{label(best)} is {aim.superlative} above recall {target:g}: {told}"
    its = _told(other[objective], objective)
    if told == its:
        return f"{label(best)} and {label(other)} are level above recall {target:g}: {told}"
    return f"Above recall {target:g} {label(best)} came first with {told}, ahead of {label(other)} with {its}; that {MAYBE_CHANCE}"


def _told(value: float, objective: str) -> str:
    if objective.startswith("usd"):
        return f"{usd(value)} a {objective.removeprefix('usd_')}{' queries' if objective == 'usd_million' else ''}"
    return f"{number(value)} {OBJECTIVES[objective].unit}"


def _recall_axis(settings: pl.DataFrame, target: float) -> dict[str, Any]:
    """Zoom to the target and to what is better, and say so; the rest is there when a person zooms out."""
    if settings.is_empty():
        return {"title": {"text": "recall"}}
    least, most = min(settings["recall"]), max(settings["recall"])
    low = max(least, min(most, target) - 2 * (1 - target)) if most > least else least
    below = settings.filter(pl.col("recall") < low - 1e-9).height
    title = f"recall@{', '.join(str(k) for k in sorted(settings['top_k'].unique()))}, from {low:.3g}"
    return {"title": {"text": title + (f" ({below} lower)" if below else "")}, "range": share_range(low, most)}


def key(chosen: Iterable[Any]) -> str:
    """Write what names a drawn setting, the columns of KEY, as one text: Plotly looks through nested lists."""
    return "|".join(map(str, chosen))


def traced(rows: pl.DataFrame) -> dict[str, Any]:
    """Give what every point carries: the text of its hover, and what a click on it needs."""
    return {
        "hovertext": [hover(row) for row in rows.iter_rows(named=True)],
        "hovertemplate": _HOVER,
        "customdata": [key(row) for row in rows.select(KEY).iter_rows()],
    }


def _cloud(figure: Figure, one: Series, objective: str) -> None:
    rows = one.rows.filter(pl.col(PLACE) != FRONT)
    if rows.height:
        figure.add_scatter(
            x=rows["recall"],
            y=rows[objective],
            mode="markers",
            marker=one.marker(6, 0.4),
            name=one.name,
            legendgroup=one.name,
            showlegend=False,
            **traced(rows),
        )


def _line(figure: Figure, one: Series, objective: str) -> None:
    rows = one.rows.filter(pl.col(PLACE) == FRONT).sort("recall")
    figure.add_scatter(
        x=rows["recall"],
        y=rows[objective],
        mode="lines+markers",
        line={"color": one.colour, "dash": one.dash, "width": 1.8},
        marker=one.marker(10),
        name=one.name,
        legendgroup=one.name,
        error_y=_bars(rows, objective, one.colour),
        error_x=_bars(rows, "recall", one.colour),
        **traced(rows),
    )


def _bars(rows: pl.DataFrame, column: str, colour: str) -> dict[str, Any] | None:
    """Give the spread of a figure as bars, None where nothing varies."""
    if f"{column}_low" not in rows.columns:
        return None
    above, below = rows[f"{column}_high"] - rows[column], rows[column] - rows[f"{column}_low"]
    if not (above.sum() or below.sum()):
        return None
    return {
        "type": "data",
        "array": above.to_list(),
        "arrayminus": below.to_list(),
        "color": colour,
        "thickness": 1.4,
        "width": 4,
    }


def _bound(figure: Figure, settings: pl.DataFrame, objective: str, palette: Palette) -> None:
    rows = settings.filter(pl.col("client_bound").fill_null(False) & (pl.col(PLACE) == FRONT))
    if rows.is_empty() or objective != "qps":
        return
    figure.add_scatter(
        x=rows["recall"],
        y=rows["qps"],
        mode="markers",
        marker={"symbol": "circle-open", "size": 18, "color": palette.missed, "line": {"width": 2}},
        name="the client was the limit: the server can do more",
        hoverinfo="skip",
    )


def latencies(settings: pl.DataFrame, mode: str, target: float = 0.95) -> Figure:
    """Draw a request's p99 as a mark, p95 as a dash, p50 as the foot of a bar: what no other beats in recall and p99."""
    known = settings.drop_nulls("p99_ms")
    best = front(known, "p99_ms", _BY)
    figure, palette = blank(mode, _finding(known, "p99_ms", target), 440)
    for one in series(best, palette):
        rows = one.rows.sort("recall")
        to_median = {
            "type": "data",
            "array": [0] * rows.height,
            "arrayminus": (rows["p99_ms"] - rows["p50_ms"]).to_list(),
        }
        figure.add_scatter(
            x=rows["recall"],
            y=rows["p99_ms"],
            mode="lines+markers",
            line={"color": one.colour, "dash": one.dash, "width": 1.8},
            marker=one.marker(10),
            error_y=to_median | {"color": one.colour, "thickness": 1.4, "width": 5},
            name=one.name,
            legendgroup=one.name,
            **traced(rows),
        )
        figure.add_scatter(
            x=rows["recall"],
            y=rows["p95_ms"],
            mode="markers",
            marker={"symbol": "line-ew", "size": 14, "line": {"color": one.colour, "width": 2.5}},
            name=one.name,
            legendgroup=one.name,
            showlegend=False,
            hoverinfo="skip",
        )
    shown = [value for name in ("p50_ms", "p99_ms") for value in best[name]]
    axis = log_axis(shown, "time of a request (ms)")
    figure.update_layout(xaxis=_recall_axis(best, target), yaxis=axis)
    return figure


def concurrency(settings: pl.DataFrame, mode: str, target: float = 0.95) -> Figure:
    """Draw QPS by the number of clients: for each index type the setting above the target that reaches the most."""
    good = settings.filter(pl.col("recall") >= target)
    chosen = good.sort("qps", descending=True).unique(_LOAD_BY, keep="first", maintain_order=True)
    rows = settings.join(chosen.select(*_LOAD_BY, "build", "search"), on=[*_LOAD_BY, "build", "search"], how="semi")
    figure, palette = blank(mode, _scaling(rows, target), 420)
    for one in series(rows, palette):
        ordered = one.rows.sort("concurrency")
        figure.add_scatter(
            x=ordered["concurrency"],
            y=ordered["qps"],
            mode="lines+markers",
            line={"color": one.colour, "dash": one.dash, "width": 1.8},
            marker=one.marker(10),
            name=one.name,
            error_y=_bars(ordered, "qps", one.colour),
            **traced(ordered),
        )
    many = few(rows["concurrency"])
    figure.update_layout(xaxis_title="clients at once (processes)", yaxis_title="queries a second (QPS)")
    figure.update_xaxes(type="log", tickvals=many, ticktext=[str(n) for n in many])
    figure.update_yaxes(rangemode="tozero")
    return figure


def _scaling(rows: pl.DataFrame, target: float) -> str:
    if rows.is_empty():
        return f"No setting reaches recall {target:g}"
    current = fresh(rows)
    if current.is_empty():
        return OUT_OF_DATE
    if current["concurrency"].n_unique() == 1:
        many = current["concurrency"][0]
        return f"Measured with {many} client{'s' if many != 1 else ''} only: measure with more to see how QPS grow"
    best = current.sort("qps", descending=True).row(0, named=True)
    alone = current.filter((pl.col("index") == best["index"]) & (pl.col("client") == best["client"])).sort(
        "concurrency"
    )
    first = alone.row(0, named=True)
    few = f"{first['concurrency']} client{'s' if first['concurrency'] > 1 else ''}"
    one, other = spread(first, "qps"), spread(best, "qps")
    if one.known and other.known and not told_apart(one, [other], number):
        return f"More clients do not measurably raise {best['index']}'s QPS: {number(first['qps'])} with {few}"
    told = f"{best['index']} answers {number(best['qps'])} QPS with {best['concurrency']} clients"
    if best["concurrency"] == first["concurrency"]:
        return f"More clients do not raise {best['index']}'s QPS: {number(first['qps'])} with {few}"
    grew = f"{told}, {best['qps'] / first['qps']:.2g} times the {number(first['qps'])} of {few}"
    return grew if one.known and other.known else f"{grew}; that {MAYBE_CHANCE}"


def building(settings: pl.DataFrame, mode: str) -> Figure:
    """Draw what each build takes: seconds and memory, one mark a build."""
    on = ["run", "scenario", "server", "device", "index", "client", "build"]
    builds = settings.drop_nulls(["build_s"]).sort("recall").unique(on, keep="last", maintain_order=True)
    known = builds.drop_nulls("memory_mb")
    rows = known if known.height else builds.with_columns(pl.lit(0.0).alias("memory_mb"))
    figure, palette = blank(mode, _building(rows), 400)
    for one in series(rows, palette):
        figure.add_scatter(
            x=one.rows["build_s"].clip(0.01),
            y=one.rows["memory_mb"],
            mode="markers",
            marker=one.marker(12),
            name=one.name,
            **traced(one.rows),
        )
    figure.update_layout(xaxis=log_axis(rows["build_s"].clip(0.01), "time to build (s)"), yaxis_title="memory (MB)")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _building(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return "No build has been timed yet"
    current = fresh(rows)
    if current.is_empty():
        return OUT_OF_DATE
    quick, slow = (current.sort("build_s").row(n, named=True) for n in (0, -1))
    told = f"{quick['index']} builds in {_kept(duration(quick['build_s']))}"
    if duration(slow["build_s"]) != duration(quick["build_s"]):
        told += f", {slow['index']} in up to {_kept(duration(slow['build_s']))}"
    least = current.sort("memory_mb").row(0, named=True)
    takes = size(least["memory_mb"] * 1e6)
    alike = {row["index"] for row in current.iter_rows(named=True) if size(row["memory_mb"] * 1e6) == takes}
    one = alike == {least["index"]} and current["index"].n_unique() > 1
    return told + (f"; {least['index']} takes the least memory, {_kept(takes)}" if least["memory_mb"] and one else "")


def _kept(text: str) -> str:
    """Keep a number and its unit on one line."""
    return text.replace(" ", "\u00a0")
