"""Figures of serving: where one answer's time went, and what happens when many ask."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.text import number
from pipeline.figures.figure import Figure, blank, log_axis
from pipeline.figures.theme import Palette

_ROOMY = 0.5  # of the whole: a bar that is longer has its label inside


def timeline(times: Mapping[str, float], stages: Sequence[str], mode: str) -> Figure:
    """Draw each stage from when it began to when it ended, ms; what lies outside the stages comes last."""
    spent = {stage: times[stage] for stage in stages if times.get(stage)}
    rest = times["total"] - sum(spent.values())
    if rest > 0.01 * times["total"]:
        spent["on the way"] = rest
    longest = max(spent, key=lambda name: spent[name])
    share = 100 * spent[longest] / max(times["total"], 1e-9)
    title = f"Answered in {times['total']:.1f} ms, of which “{longest}” takes {share:.0f} %"
    figure, palette = blank(mode, title, 60 + 38 * len(spent), legend=False)
    began = 0.0
    for name, ms in spent.items():
        figure.add_bar(
            y=[name], x=[ms], base=[began], orientation="h", marker={"color": _colour(name, palette)},
            text=[f"{ms:.2f} ms"], textposition="inside" if ms > _ROOMY * times["total"] else "outside",
            cliponaxis=False, hovertemplate=f"{name}: {ms:.2f} ms<extra></extra>",
        )  # fmt: skip
        began += ms
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="ms since the request", range=[0, 1.3 * times["total"]], rangemode="tozero")
    return figure


def _colour(stage: str, palette: Palette) -> str:
    colours = {
        "retrieve": palette.cpu,
        "score": palette.session,
        "encode": palette.session,
        "session features": palette.categories[1],
        "item features": palette.categories[1],
    }
    return colours.get(stage, palette.exact)


WAYS = {"fast": "in the app", "triton": "Triton"}


def throughput(rows: Sequence[Mapping[str, Any]], mode: str) -> Figure:
    """Draw sessions/s of each way of answering, by how many ask and how many sessions a request holds."""
    figure, palette = blank(mode, _finding(rows), 330)
    for via, colour in (("fast", palette.exact), ("triton", palette.cpu)):
        some = [row for row in rows if row["via"] == via]
        if not some:
            continue
        figure.add_bar(
            x=[asked(row) for row in some], y=[row["sessions_per_s"] for row in some], name=WAYS[via],
            marker={"color": colour}, text=[number(row["sessions_per_s"]) for row in some], textposition="outside",
            cliponaxis=False, customdata=[_between(row) for row in some],
            hovertemplate="%{x}: %{y:,.0f} sessions/s%{customdata}<extra>" + WAYS[via] + "</extra>",
        )  # fmt: skip
    figure.update_yaxes(title="sessions answered a second", rangemode="tozero")
    return figure


def waiting(rows: Sequence[Mapping[str, Any]], mode: str) -> Figure:
    """Draw how long half, and 95 of 100, of the requests waited, by how many ask."""
    figure, palette = blank(mode, _longest(rows), 330)
    for via, colour in (("fast", palette.exact), ("triton", palette.cpu)):
        some = [row for row in rows if row["via"] == via]
        for measure, dash in (("p50_ms", "solid"), ("p95_ms", "dot")):
            figure.add_scatter(
                x=[asked(row) for row in some], y=[row[measure] for row in some], mode="lines+markers",
                name=f"{WAYS[via]}, {measure[:3]}", line={"color": colour, "dash": dash}, marker={"size": 8},
                hovertemplate="%{x}: %{y:,.1f} ms<extra>" + f"{WAYS[via]}, {measure[:3]}</extra>",
            )  # fmt: skip
    values = [row[measure] for row in rows for measure in ("p50_ms", "p95_ms")]
    figure.update_yaxes(**log_axis(values, "ms a request"))
    return figure


def asked(row: Mapping[str, Any]) -> str:
    """Say how a point was asked."""
    if row["batch"] > 1:
        return f"batches of {row['batch']}"
    return f"{row['clients']} client{'s' if row['clients'] > 1 else ''}"


def _between(row: Mapping[str, Any]) -> str:
    low, high = row.get("sessions_per_s_low"), row.get("sessions_per_s_high")
    return "" if low is None or high is None else f", {low:,.0f} to {high:,.0f}"


def _finding(rows: Sequence[Mapping[str, Any]]) -> str:
    of = [row for row in rows if row["via"] == "triton"] or list(rows)
    alone = next((row for row in of if row["clients"] == row["batch"] == 1), None)
    batched = next((row for row in of if row["batch"] > 1), None)
    name = {"fast": "The app"}.get(of[0]["via"], "Triton")
    if alone and batched:
        times = batched["sessions_per_s"] / max(alone["sessions_per_s"], 1e-9)
        return f"{name} answers {times:.1f} times as many sessions in {asked(batched)} as one by one"
    best = max(rows, key=lambda row: row["sessions_per_s"])
    return f"At most {number(best['sessions_per_s'])} sessions a second, {WAYS[best['via']]}, {asked(best)}"


def _longest(rows: Sequence[Mapping[str, Any]]) -> str:
    alone = [row for row in rows if row["clients"] == row["batch"] == 1]
    if not alone:
        return "How long a request waits"
    told = " and ".join(
        f"{row['p50_ms']:.0f} ms {WAYS[row['via']] if row['via'] == 'fast' else 'by Triton'}" for row in alone
    )
    return f"One session alone waits {told}; more clients wait in line"
