"""Figures of one side over another, and of the published study beside its fair comparison."""

from collections.abc import Sequence

import polars as pl

from pipeline.bench.analysis.compare import Comparison, claim
from pipeline.bench.analysis.reread import Fair
from pipeline.figures.figure import Figure, blank, share_range
from pipeline.figures.marks import CLEAR

_NOTHING = "No figures of both CPU and GPU were published for this"


def over(found: Comparison, a: str, b: str, mode: str) -> Figure:
    """Draw how many times the queries of B A answers at equal recall, with the band of both spreads."""
    figure, palette = blank(mode, claim(found, a, b), 360, legend=False)
    recall = found.curve["recall"]
    for side, fill in (("times_low", None), ("times_high", "tonexty")):
        figure.add_scatter(
            x=recall,
            y=found.curve[side],
            mode="lines",
            line={"width": 0, "color": palette.session},
            fill=fill,
            fillcolor="rgba(191,135,0,.18)",
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=recall,
        y=found.curve["times"],
        mode="lines" if found.high > found.low else "markers",
        line={"color": palette.session, "width": 3},
        marker={"size": 11},
        customdata=found.curve.select("a", "b").rows(),
        hovertemplate="recall %{x:.3f}: %{y:.2f} times<br>%{customdata[0]:,.0f} against %{customdata[1]:,.0f} QPS<extra></extra>",
    )
    figure.add_hline(y=1, line={"color": palette.exact, "dash": "dash", "width": 1})
    top = max(2.0, min(1.1 * max(found.curve["times_high"]), 1.6 * found.most))  # a wide spread is cut, not the curve
    figure.update_layout(
        xaxis_title=f"recall, {found.low:.3f} to {found.high:.3f}", yaxis_title=f"{a} over {b} (times)"
    )
    figure.update_yaxes(range=[0, top])
    figure.update_xaxes(range=share_range(found.low, found.high))
    return figure


def speed_ups(found: Sequence[Fair], mode: str) -> Figure:
    """Draw the GPU's speed-up by scenario: as published at the same parameters, at equal recall, over the CPU's best."""
    title = _NOTHING
    if found:
        low, high = min(f.best.least for f in found), max(f.best.most for f in found)
        published = max(f.published[1] for f in found)
        title = f"Like for like, the GPU answered {low:.1f} to {high:.1f} times the CPU's queries, not up to {published:.0f}"
    figure, palette = blank(mode, title, 400)
    kinds = (
        ("as published: same nlist and nprobe", [f.published for f in found], palette.gpu, True),
        ("IVF_PQ of both, at equal recall", [(f.same_type.least, f.same_type.most) for f in found], palette.gpu, False),
        ("best of both, at equal recall", [(f.best.least, f.best.most) for f in found], palette.session, False),
    )
    for name, ranges, colour, hollow in kinds:
        figure.add_bar(
            y=[f.scenario for f in found],
            base=[least for least, _ in ranges],
            x=[max(most - least, 0.04 * least) for least, most in ranges],
            orientation="h",
            name=name,
            marker={"color": CLEAR if hollow else colour, "line": {"color": colour, "width": 2}},
            text=[_times(*ends) for ends in ranges],
            textposition="outside",
            textfont={"color": palette.text},
            textangle=0,
            cliponaxis=False,
            hovertemplate=f"{name}<br>%{{y}}: %{{text}}<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25, xaxis_title="GPU over CPU (times), logarithmic")
    figure.update_xaxes(type="log", range=[0, 2.4], tickvals=[1, 2, 5, 10, 20, 50, 100])
    figure.update_yaxes(autorange="reversed")
    return figure


def _times(least: float, most: float) -> str:
    low, high = f"{least:.2g}", f"{most:.2g}"
    return f"{low}×" if low == high else f"{low}–{high}×"


def as_published(pairs: pl.DataFrame, scenario: str, mode: str) -> Figure:
    """Draw the study's speed-up bars of a scenario: GPU over CPU at each nlist and nprobe, hollow as published."""
    rows = pairs.filter(pl.col("scenario") == scenario)
    if rows.is_empty():
        return blank(mode, _NOTHING, 360)[0]
    title = f"Published: {min(rows['times']):.1f} to {max(rows['times']):.1f} times, at recalls that differ"
    figure, palette = blank(mode, title, 360)
    shades = (palette.cpu, palette.gpu, palette.session)
    for nprobe, colour in zip(sorted(rows["nprobe"].unique()), shades, strict=True):
        part = rows.filter(pl.col("nprobe") == nprobe)
        figure.add_bar(
            x=[f"nlist {n}" for n in part["nlist"]],
            y=part["times"],
            name=f"nprobe {nprobe}",
            marker={"color": CLEAR, "line": {"color": colour, "width": 2}},
            text=[f"{t:.1f}" for t in part["times"]],
            textposition="outside",
            textangle=0,
            cliponaxis=False,
            customdata=part.select("qps_gpu", "recall_gpu", "qps", "recall").rows(),
            hovertemplate=(
                "GPU %{customdata[0]:,.0f} QPS at recall %{customdata[1]:.3f}<br>"
                "CPU %{customdata[2]:,.0f} QPS at recall %{customdata[3]:.3f}<extra></extra>"
            ),
        )
    figure.update_layout(barmode="group", bargap=0.3, yaxis_title="GPU over CPU (times)")
    figure.update_yaxes(range=[0, 1.15 * max(rows["times"])])
    return figure


def ceiling(pairs: pl.DataFrame, mode: str) -> Figure:
    """Draw the GPU's QPS by nprobe, a line each scenario and nlist: flat where the client was the limit."""
    if pairs.is_empty():
        return blank(mode, _NOTHING, 360)[0]
    figure, palette = blank(
        mode, "Except in user-user, more work for the GPU cost nothing: the client was the limit", 360
    )
    colours = {"user-user": palette.gpu, "item-item": palette.categories[1], "user-item": palette.categories[2]}
    dashes = {100: "solid", 200: "dash", 400: "dot"}
    for scenario, nlist in pairs.select("scenario", "nlist").unique(maintain_order=True).rows():
        rows = pairs.filter((pl.col("scenario") == scenario) & (pl.col("nlist") == nlist)).sort("nprobe")
        figure.add_scatter(
            x=rows["nprobe"],
            y=rows["qps_gpu"],
            mode="lines+markers",
            name=scenario,
            legendgroup=scenario,
            showlegend=nlist == 100,
            line={"color": colours[scenario], "dash": dashes[nlist], "width": 1.8},
            marker={"symbol": "diamond", "size": 9, "color": CLEAR, "line": {"color": colours[scenario], "width": 2}},
            hovertemplate=f"{scenario}, nlist {nlist}, nprobe %{{x}}: %{{y:,.0f}} QPS<extra></extra>",
        )
    figure.update_layout(xaxis_title="nprobe (nlist 100 solid, 200 dashed, 400 dotted)", yaxis_title="QPS, published")
    figure.update_xaxes(tickvals=[5, 10, 20])
    figure.update_yaxes(rangemode="tozero")
    return figure


def bits(pairs: pl.DataFrame, scenario: str, mode: str) -> Figure:
    """Draw what the same nlist and nprobe find with 12 bits (CPU) and with 8 (GPU), as pairs."""
    rows = pairs.filter(pl.col("scenario") == scenario).sort("recall")
    if rows.is_empty():
        return blank(mode, _NOTHING, 360)[0]
    lost = max(rows["recall"] - rows["recall_gpu"])
    figure, palette = blank(mode, f"With 8 bits instead of 12, the GPU found up to {lost:.3f} less", 360)
    names = [f"{nlist}<br>{nprobe}" for nlist, nprobe in rows.select("nlist", "nprobe").rows()]
    for name, low, high in zip(names, rows["recall_gpu"], rows["recall"], strict=True):
        figure.add_scatter(
            x=[name, name],
            y=[low, high],
            mode="lines",
            line={"color": palette.exact},
            showlegend=False,
            hoverinfo="skip",
        )
    sides = (
        ("CPU, nbits 12", "recall", palette.cpu, "circle"),
        ("GPU, nbits 8", "recall_gpu", palette.gpu, "diamond"),
    )
    for name, column, colour, symbol in sides:
        figure.add_scatter(
            x=names,
            y=rows[column],
            mode="markers",
            name=name,
            marker={"symbol": symbol, "size": 11, "color": CLEAR, "line": {"color": colour, "width": 2}},
            customdata=rows.select("nlist", "nprobe").rows(),
            hovertemplate=f"{name}, nlist %{{customdata[0]}}, nprobe %{{customdata[1]}}: recall %{{y:.3f}}<extra></extra>",
        )
    figure.update_layout(xaxis_title="nlist, and nprobe beneath it", yaxis_title="recall@100, published")
    figure.update_xaxes(tickangle=0, tickfont={"size": 11})
    return figure
