"""Every figure as a browser draws it: narrow and wide, nothing written lies over anything else written."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plotly.io as pio
import pytest
from playwright.sync_api import Browser, Page

from pipeline.bench.analysis.equal_recall import at_equal_recall
from pipeline.bench.analysis.settings import summarise, where
from pipeline.figures import benchmark, charts, fairness, models
from pipeline.figures.figure import SAVED_WIDTH, Figure
from pipeline.figures.rates import rates
from tests.made import settings, tables
from tests.made.points import point
from tests.made.points import points as made

pytestmark = pytest.mark.browser
WIDTHS = (358, SAVED_WIDTH)  # of a figure on a phone of 390 px, and of a picture that is saved, with its title
SHARE = re.compile(r"^(recall|mrr|ndcg)[^%]*$")
_READ = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
  const box = (kind, e) => { const b = e.getBoundingClientRect();
    return {kind, text: e.textContent, x: b.left, y: b.top, right: b.right, bottom: b.bottom} };
  const all = (kind, which) => [...plot.querySelectorAll(which)].map(e => box(kind, e)).filter(b => b.right > b.x);
  const svg = plot.querySelector('.main-svg').getBoundingClientRect();
  const axes = Object.entries(plot._fullLayout).filter(([key]) => /^[xy]axis\\d?$/.test(key)).map(([, axis]) =>
    ({title: axis.title.text || '', range: axis.range, ticks: (axis._vals || []).map(tick => tick.x)}));
  const name = plot.parentElement.parentElement.id;
  return {axes, name, left: svg.left, right: svg.right, bottom: svg.bottom, written: [
    ...all('legend', '.legend .traces text'), ...all('heading', '.gtitle'),
    ...all('title', '.xtitle, .ytitle, .x2title, .y2title'),
    ...all('x tick', '.xaxislayer-above text, .xaxislayer-below text'), ...all('y tick', '.yaxislayer-above text'),
    ...all('label', '.textpoint text, .bartext, .annotation-text')]}
})"""


def _drawn() -> dict[str, Figure]:
    """Give every figure, and those that were drawn badly: one point, the most recall, many values near each other."""
    one = summarise(made(point(1.0, 900.0)))
    near = [dict(tables.BUILT[0], name=f"items-session-{n}", p50_ms=3 + n / 20) | {"recall@10": 1.0} for n in range(6)]
    many = [point(0.97, 800.0 + n, concurrency=n) for n in (1, 2, 4, 8, 9, 10)]
    alone = tables.POINTS[:3]
    side = where(settings.MADE, {"index": "IVF_FLAT"})
    return (
        tables.figures("light")
        | {f"bench {name}": figure for name, figure in settings.figures("light").items()}
        | {
            "rates": rates(settings.settings_at([50, 90, 95, 100, 200]), "light"),
            "one point": benchmark.frontier(one, "light"),
            "one latency": benchmark.latencies(one, "light"),
            "one over": fairness.over(at_equal_recall(side, side), "HNSW", "IVF_FLAT", "light"),
            "one index": charts.index_quality(near[:1], "light"),
            "indexes alike": charts.index_quality(near, "light"),
            "one pass": models.training(alone, "light"),
            "one pass each": models.trainings({"session-1": alone, "session-2": alone}, "light"),
            "many clients": benchmark.concurrency(summarise(made(*many)), "light"),
            "path up": charts.item_map(tables.ITEMS, "light", path=["a", "b"]),
        }
    )


@pytest.fixture(scope="module")
def drawn(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """Read what is written in every figure at every width, and where."""
    file: Path = tmp_path_factory.mktemp("figures") / "figures.html"
    html = [
        f"<div id='{name}, {width} px' style='width:{width}px'>"
        f"{pio.to_html(figure, include_plotlyjs=False, full_html=False, config={'responsive': True})}</div>"
        for width in WIDTHS
        for name, figure in _drawn().items()
    ]
    from plotly.offline import get_plotlyjs

    style = f"<style>[id$='{WIDTHS[0]} px'] .gtitle{{display:none}}</style>"
    file.write_text(f"<!doctype html><meta charset='utf-8'>{style}<script>{get_plotlyjs()}</script>{''.join(html)}")
    page: Page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(file.as_uri())
    page.wait_for_timeout(500)
    yield page.evaluate(_READ)
    page.close()


def _over(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two boxes share more than the pixel or two that letters leave free."""
    wide = min(one["right"], other["right"]) - max(one["x"], other["x"])
    high = min(one["bottom"], other["bottom"]) - max(one["y"], other["y"])
    return wide > 2 and high > 4


def test_nothing_written_lies_over_anything_else(drawn: list[dict[str, Any]]) -> None:
    assert len(drawn) == len(WIDTHS) * len(_drawn())
    found = [
        f"{plot['name']}: {one['kind']} '{one['text']}' and {other['kind']} '{other['text']}'"
        for plot in drawn
        for n, one in enumerate(plot["written"])
        for other in plot["written"][n + 1 :]
        if _over(one, other)
    ]
    assert not found, "\n".join(found)


def test_all_that_is_written_lies_within_the_figure(drawn: list[dict[str, Any]]) -> None:
    found = [
        f"{plot['name']}: {one['kind']} '{one['text']}'"
        for plot in drawn
        for one in plot["written"]
        if one["x"] < plot["left"] - 2 or one["right"] > plot["right"] + 2 or one["bottom"] > plot["bottom"] + 2
    ]
    assert not found, "\n".join(found)


def test_no_axis_of_a_share_is_marked_above_one_or_below_zero(drawn: list[dict[str, Any]]) -> None:
    shares = [(plot["name"], axis) for plot in drawn for axis in plot["axes"] if SHARE.search(axis["title"])]
    assert len(shares) > 2 * len(WIDTHS)
    found = [f"{name}: {axis}" for name, axis in shares if not 0 <= min(axis["ticks"]) <= max(axis["ticks"]) <= 1]
    assert not found, "\n".join(found)
