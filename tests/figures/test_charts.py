"""Figures are functions of tables: titles say the finding, axes the unit, colours the meaning."""

import itertools
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.train import lesson
from pipeline.bench import published
from pipeline.figures import charts
from pipeline.figures import models as modelcharts
from pipeline.figures.figure import few, share_range
from pipeline.figures.theme import PALETTES, Palette
from tests.made.tables import BOUNDS, CURVES, EVALUATION, ITEMS, POINTS, SLICES, TITLES, figures


def test_the_map_calls_what_was_searched_for_found() -> None:
    names = [trace.name for trace in charts.item_map(ITEMS, "light", path=["a", "c"], found=["b"]).data]
    assert names[-2:] == ["found", "the session"]


@pytest.mark.parametrize("mode", PALETTES)
def test_every_figure_has_a_title_and_units(mode: str) -> None:
    for name, figure in figures(mode).items():
        assert figure.layout.title.text, name
        assert figure.layout.template.layout.font.color == PALETTES[mode].text
        if name != "map":
            lowest = figure.layout.xaxis2 if name == "trainings" else figure.layout.xaxis
            assert lowest.title.text or name in ("evaluation", "published"), name


def test_what_was_published_is_hollow_and_a_gpu_is_a_diamond() -> None:
    found = figures("light")
    assert all("published 2023" in bar.name for bar in found["published"].data)
    assert all(bar.marker.color == "rgba(0,0,0,0)" for bar in found["published"].data)
    symbols = {dot.name: dot.marker.symbol for dot in found["quality"].data}
    assert symbols == {"a-hnsw": "circle", "a-ivf": "circle", "a-cagra": "diamond"}


def test_the_lesson_draws_both_curves_of_one_measure() -> None:
    points = [
        {"step": 0, "recall@10": 0.02, "validation_recall@10": 0.01},
        {"step": 9, "validation_recall@20": 0.3},
        {"step": 10, "recall@10": 0.1765, "validation_recall@10": 0.0101},
    ]
    figure = lesson.curves(points, "light")
    assert "17.6 %" in figure.layout.title.text.replace("<br>", " ")
    assert "1.0 %" in figure.layout.title.text.replace("<br>", " ")
    assert [list(trace.x) for trace in figure.data] == [[0, 10], [0, 10]]
    assert list(figure.data[1].y) == pytest.approx([1.0, 1.01])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_an_axis_of_shares_holds_them_and_spans_no_more_than_it_needs(shares: list[float]) -> None:
    low, high = share_range(min(shares), max(shares))
    assert low <= min(shares) <= max(shares) <= high
    step = max(max(shares) - min(shares), 0.02)
    assert low >= max(0, max(shares) - step) - 0.031 * step - 1e-9
    assert high <= 1 + 0.031 * step


@given(st.lists(st.floats(0.1, 1e6), max_size=40))
def test_ticks_of_a_logarithmic_axis_stand_apart(values: list[float]) -> None:
    ticks = few(values)
    assert set(ticks) <= set(values)
    assert (min(values) in ticks) if values else not ticks
    assert len(ticks) <= 1 + 1 / 0.12


def test_each_training_has_its_curves_in_one_colour() -> None:
    drawn = modelcharts.trainings(CURVES, "light").data
    assert [(line.name, line.yaxis) for line in drawn] == [(name, axis) for name in CURVES for axis in ("y", "y2")]
    assert list(drawn[0].y) == [0.31, 0.42]
    assert list(drawn[1].y) == [6.0, 5.0]
    assert drawn[0].line.color == drawn[1].line.color != drawn[2].line.color


def test_the_bars_are_the_numbers() -> None:
    drawn = modelcharts.evaluation(EVALUATION, BOUNDS, TITLES, ["popularity"], "light", "mrr@20").data
    bars = {bar.name: bar for bar in drawn}
    assert {name: bar.x[0] for name, bar in bars.items()} == {"Two-tower": 0.15, "Popularity": 0.05}
    assert bars["Two-tower"].error_x.array[0] == pytest.approx(0.01)
    assert bars["Popularity"].marker.color == PALETTES["light"].exact != bars["Two-tower"].marker.color


def test_an_untrained_curve_is_drawn_too() -> None:
    assert modelcharts.training([], "light").layout.title.text
    assert modelcharts.training(POINTS[:1], "dark").data[0].x == (1,)


def _lab(colour: str) -> tuple[float, float, float]:
    """Convert sRGB to CIE L*a*b* (D65)."""
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    lin = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.95047, 1.0, 1.08883)
    xyz = [sum(a * b for a, b in zip(row, lin, strict=True)) / w for row, w in zip(rows, white, strict=True)]
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


@pytest.mark.parametrize("mode", PALETTES)
def test_colours_can_be_told_apart(mode: str) -> None:
    palette: Palette = PALETTES[mode]
    meanings = [palette.cpu, palette.gpu, palette.exact, palette.missed, palette.session]
    for group in (meanings, list(palette.categories)):
        for one, other in itertools.combinations(group, 2):
            assert math.dist(_lab(one), _lab(other)) > 20, (one, other)


def test_empty_tables_are_drawn_too() -> None:
    nothing = [
        charts.index_quality([], "light"),
        charts.long_tail(pl.Series([], dtype=pl.Int64), "light"),
        charts.long_tail(pl.Series([0, 0]), "light"),
        charts.published_devices(published.best_qps(0.95).clear(), 0.95, "light"),
        charts.published_devices(published.best_qps(0.95).filter(pl.col("device") == "cpu"), 0.95, "light"),
        charts.item_map(ITEMS.clear(), "light"),
        charts.histogram(pl.DataFrame({"value": [], "count": []}), "light", "None", "x", "y"),
        modelcharts.trainings({}, "light"),
        modelcharts.trainings({"one": [], "two": []}, "light"),
        modelcharts.trainings({"one": [{"step": 1, "validation_recall@20": math.nan}], "two": POINTS}, "light"),
        modelcharts.training([{"step": 1, "loss": math.nan, "validation_recall@20": math.nan}], "light"),
        modelcharts.evaluation({}, {}, {}, [], "light"),
        modelcharts.evaluation({"a": {"recall@20": math.nan}, "b": {"recall@20": 0.5}}, {}, {}, [], "light"),
        modelcharts.slices(SLICES.clear(), TITLES, [], "light", "recall@20", "length"),
        modelcharts.slices(SLICES.with_columns(mean=pl.lit(math.nan)), TITLES, [], "light", "recall@20", "length"),
        lesson.curves([], "light"),
    ]
    for figure in nothing:
        title = figure.layout.title.text
        assert title
        assert not {"nan", "inf"} & set(title.replace("<br>", " ").replace(",", " ").split()), title
