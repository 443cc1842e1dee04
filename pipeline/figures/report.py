"""A benchmark run as one HTML file that opens anywhere, without a network: figures, answers, where they come from."""

import base64
import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import plotly.io as pio
import polars as pl

from pipeline.bench import published, runs
from pipeline.bench.analysis.advise import Wish, advise
from pipeline.bench.analysis.cost import with_cost
from pipeline.bench.analysis.front import front
from pipeline.bench.analysis.prices import Price, prices_origin
from pipeline.bench.analysis.settings import gather, label, load_label, marked, summarise, under
from pipeline.bench.quality import told, with_quality
from pipeline.core.text import number
from pipeline.figures import benchmark
from pipeline.figures.figure import Figure, saving, title
from pipeline.figures.theme import LIGHT
from pipeline.store.outputs import written
from pipeline.store.workspace import Workspace

_MODE = "light"
_MEMORY = (
    "memory_mb is estimated from the type's layout; server_growth_mb was measured: by how much the server's processes "
    "grew from before the vectors came until the index was loaded."
)
_STYLE = f"""body{{font-family:"Source Sans 3","Source Sans Pro",system-ui,sans-serif;color:{LIGHT.text};margin:2rem auto;
max-width:1100px;padding:0 1rem;line-height:1.5}}h1{{font-size:1.8rem}}h2{{font-size:1.25rem;margin-top:2.2rem}}
table{{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}}
.wide{{overflow-x:auto}}th,td{{text-align:left;padding:.35rem .6rem;border-bottom:1px solid {LIGHT.grid}}}
dt{{color:{LIGHT.quiet}}}dd{{margin:0 0 .5rem}}.figures{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));
gap:1.5rem}}.figures>div{{min-width:0}}h3{{font-size:1.05rem;margin:.5rem 0;line-height:1.3}}.gtitle{{display:none}}.best{{border-left:4px solid {LIGHT.cpu};padding:.2rem 0 .2rem 1rem}}"""


def page(settings: pl.DataFrame, points: pl.DataFrame, facts: dict[str, str], target: float = 0.95) -> str:
    """Write the page: `settings` with their cost under one load, all `points`, and `facts` of where they come from."""
    name = f"Benchmark {facts.get('run', '')}".strip()
    parts = [
        f"<h1>{html.escape(name)}</h1>",
        f"<p>{html.escape(load_label(settings.row(0, named=True)))}</p>" if settings.height else "",
        _advice(settings, target),
        f"<h2>Figures</h2><div class='figures'>{''.join(_drawn(_figures(settings, target)))}</div>",
        f"<h2>What is worth choosing</h2>{_table(front(settings, 'qps', by=('scenario',)))}<p>{_MEMORY}</p>",
        f"<h2>Where it comes from</h2>{_facts(facts)}{_download(points)}",
    ]
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width,initial-scale=1'><title>{html.escape(name)}</title>"
    return (
        f"<!doctype html><html lang='en'><head>{head}<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _figures(settings: pl.DataFrame, target: float) -> Iterator[Figure]:
    yield benchmark.frontier(settings, _MODE, "qps", target)
    yield benchmark.latencies(settings, _MODE, target)
    yield benchmark.concurrency(settings, _MODE, target)
    yield benchmark.frontier(settings, _MODE, "usd_million", target)
    yield benchmark.building(settings, _MODE)


def _drawn(figures: Iterator[Figure]) -> Iterator[str]:
    """Write each figure; Plotly's script goes into the first, so that the file needs nothing else."""
    for n, figure in enumerate(figures):
        config = saving(figure, "benchmark") | {"responsive": True}
        drawn = pio.to_html(figure, config=config, include_plotlyjs=n == 0, full_html=False)
        yield f"<div><h3>{html.escape(title(figure))}</h3>{drawn}</div>"


def _advice(settings: pl.DataFrame, target: float) -> str:
    found = advise(settings, Wish(recall=target))
    sentences = [*found.why, *([told(found.best)] if found.best else [])]
    lines = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences if sentence)
    others = "".join(f"<li>{html.escape(f'{label(row)}: {why}')}</li>" for row, why in found.alternatives)
    return f"<div class='best'>{lines}{f'<ul>{others}</ul>' if others else ''}</div>"


def _table(rows: pl.DataFrame) -> str:
    names = ("recall", "qps", "p50_ms", "p95_ms", "p99_ms", "build_s", "memory_mb", "server_growth_mb")
    head = "".join(f"<th>{name}</th>" for name in ("setting", *names))
    body = "".join(
        f"<tr><td>{html.escape(marked(row))}</td>{''.join(f'<td>{_cell(row[name])}</td>' for name in names)}</tr>"
        for row in rows.iter_rows(named=True)
    )
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}" if 0 < value <= 1 else number(value)


def _facts(facts: dict[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>' for name, text in facts.items())}</dl>"


def _download(points: pl.DataFrame) -> str:
    coded = base64.b64encode(points.write_csv().encode()).decode()
    return (
        f"<p><a download='points.csv' href='data:text/csv;base64,{coded}'>All {points.height:,} points as CSV</a></p>"
    )


def run_facts(workspace: Workspace, name: str) -> dict[str, str]:
    """Say where a run's figures come from, by the names that are shown."""
    if name == published.NAME:
        return {"run": name, "measured": "not here", "source": published.SOURCE}
    run = runs.find_run(workspace, name)
    told = {
        "run": run.name,
        "measured": f"{run.created.replace('T', ' ')[:16]} UTC, {run.points:,} of {run.planned:,} points, {run.status}",
        "hardware": ", ".join(f"{k} {v}" for k, v in run.hardware.items() if v),
        "versions": ", ".join(f"{k} {v}" for k, v in run.versions.items()),
        "seed": str(run.seed),
        "note": run.note,
    }
    return {about: text for about, text in told.items() if text}


def _priced(price: Price, settings: pl.DataFrame) -> dict[str, str]:
    origins = dict.fromkeys(prices_origin(price, device) for device in settings["device"].unique(maintain_order=True))
    return {"prices": f"{price.name}: {'; GPU: '.join(origins)}"}


def write_report(workspace: Workspace, name: str, target: Path, given: Mapping[str, Any], price: Price) -> None:
    """Write a run, or what was published, as this page; `given` is the load, as `under` takes it."""
    points = gather(workspace, [name])
    settings = with_quality(workspace, with_cost(under(summarise(points), given), price))
    with written(target) as path:
        path.write_text(page(settings, points, run_facts(workspace, name) | _priced(price, settings)))
