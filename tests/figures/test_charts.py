"""Figures are functions of tables: titles say the finding, axes the unit, colours the meaning."""

import itertools
import math
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.train import lesson
from pipeline.bench import published
from pipeline.figures import charts
from pipeline.figures import models as modelcharts
from pipeline.figures.figure import blank, few, share_range, title
from pipeline.figures.theme import PALETTES, Palette

EVALUATION = {
    "popularity": {"recall@10": 0.1, "recall@20": 0.2, "mrr@20": 0.05, "ndcg@20": 0.08},
    "two_tower": {"recall@10": 0.3, "recall@20": 0.5, "mrr@20": 0.15, "ndcg@20": 0.2},
}
BOUNDS = {
    "two_tower": {"recall@20": (0.45, 0.56), "mrr@20": (0.14, 0.16)},
    "popularity": {"recall@20": (0.18, 0.22)},
}
TITLES = {"two_tower": "Two-tower", "popularity": "Popularity"}
POINTS = [
    {"step": 1, "loss": 6.0},
    {"step": 2, "loss": 5.0},
    {"step": 2, "validation_recall@20": 0.31},
    {"step": 4, "validation_recall@20": 0.42},
]
CURVES = {"session-1": POINTS, "session-2": [{"step": 2, "loss": 5.5}, {"step": 2, "validation_recall@20": 0.4}]}
ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c"],
        "x": [0.0, 1.0, 2.0],
        "y": [0.0, 1.0, 0.0],
        "category": ["1", "1", "2"],
        "name": ["A", "B", "C"],
    }
)
SLICES = pl.DataFrame(
    {
        "model": ["two_tower", "two_tower", "popularity", "popularity"],
        "part": ["1 click", "2", "1 click", "2"],
        "examples": [100, 50, 100, 50],
        "mean": [0.4, 0.6, 0.2, 0.1],
        "low": [0.35, 0.5, 0.15, 0.05],
        "high": [0.45, 0.7, 0.25, 0.15],
    }
)

BUILT = [
    {
        "name": "a-hnsw",
        "index": "HNSW",
        "recall@10": 0.99,
        "p50_ms": 3.0,
        "p50_ms_low": 2.9,
        "p50_ms_high": 3.2,
        "device": "cpu",
    },
    {"name": "a-ivf", "index": "IVF_FLAT", "recall@10": 0.9, "p50_ms": 2.0, "device": "cpu"},
    {
        "name": "a-cagra",
        "index": "GPU_CAGRA",
        "recall@10": 0.96,
        "p50_ms": 2.5,
        "p50_ms_low": 2.4,
        "p50_ms_high": 2.6,
        "device": "gpu",
    },
]


def figures(mode: str) -> dict[str, go.Figure]:
    return {
        "training": modelcharts.training(POINTS, mode),
        "trainings": modelcharts.trainings(CURVES, mode),
        "evaluation": modelcharts.evaluation(EVALUATION, BOUNDS, TITLES, ["popularity"], mode),
        "slices": modelcharts.slices(SLICES, TITLES, ["popularity"], mode, "recall@20", "session length"),
        "map": charts.item_map(ITEMS, mode, path=["a", "c"], found=["b"]),
        "histogram": charts.histogram(pl.DataFrame({"value": [1, 2], "count": [3, 4]}), mode, "Half", "clicks", "n"),
        "tail": charts.long_tail(pl.Series([90, 5, 3, 2]), mode),
        "published": charts.published_devices(published.best_qps(0.95), 0.95, mode),
        "quality": charts.index_quality(BUILT, mode),
        "latency": charts.latency({"encode": 0.2, "search": 2.0, "total": 2.5}, mode),
    }


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


def test_titles_say_the_finding() -> None:
    found = figures("light")
    assert found["training"].layout.title.text == "Validation recall@20 reached 0.420"
    best = "session-1: validation recall@20 reached 0.420, session-2 0.400; between two trainings that may be chance"
    assert found["trainings"].layout.title.text.replace("<br>", " ") == best
    assert "other sessions" in modelcharts.trainings(CURVES, "light", alike=False).layout.title.text.replace(
        "<br>", " "
    )
    assert "Two-tower leads with recall@20 0.500" in found["evaluation"].layout.title.text.replace("<br>", " ")
    assert "from 0.40 (1 click) to 0.60 (2)" in found["slices"].layout.title.text.replace("<br>", " ")
    assert "2.5 ms" in found["latency"].layout.title.text
    assert "a-cagra has the lowest latency at recall ≥ 0.95" in found["quality"].layout.title.text.replace("<br>", " ")
    assert "3.0 to 3.5 times" in found["published"].layout.title.text.replace("<br>", " ")


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


def test_a_title_is_one_text_whatever_the_lines_of_a_saved_picture() -> None:
    told = "A finding that goes on " * 12
    figure, _ = blank("light", told)
    assert "<br>" in figure.layout.title.text
    assert title(figure) == told.strip()
    assert figure.layout.margin.t > blank("light", "Short")[0].layout.margin.t


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
    latency = charts.latency({"encode": 0.2, "search": 2.0, "total": 2.5}, "light").data[0]
    assert sum(latency.x) == pytest.approx(2.5)


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


def _quality(*rows: dict[str, Any]) -> str:
    return str(charts.index_quality(rows, "light").layout.title.text).replace("<br>", " ")


def test_an_index_is_the_quickest_only_where_its_p50_is_told_apart() -> None:
    hnsw, _, cagra = BUILT
    ends = ("p50_ms_low", "p50_ms_high")
    assert _quality(hnsw, cagra | {"p50_ms_high": 2.95}).endswith("that may be chance")
    old = [{k: v for k, v in row.items() if k not in ends} for row in (hnsw, cagra)]
    assert (
        _quality(*old)
        == "At recall ≥ 0.95, a-cagra came first with 2.5 ms, ahead of a-hnsw with 3.0 ms; that may be chance"
    )
    same = {"p50_ms": 2.98, "p50_ms_low": 2.98, "p50_ms_high": 2.98}
    assert "have the same latency" in _quality(hnsw | dict.fromkeys(("p50_ms", *ends), 3.0), cagra | same)


def test_an_index_that_is_out_of_date_is_marked_and_never_wins() -> None:
    hnsw, _, cagra = BUILT
    figure = charts.index_quality([hnsw, cagra | {"stale": True}], "light")
    assert "a-hnsw is the only index with recall ≥ 0.95" in figure.layout.title.text.replace("<br>", " ")
    assert figure.data[1].marker.symbol == "diamond-open"
    assert "out of date" in figure.data[1].name
    assert "out of date" in _quality(cagra | {"stale": True})


def test_models_whose_intervals_overlap_are_not_ranked_unless_they_differ_on_the_same_sessions() -> None:
    near = {"popularity": {"recall@20": 0.49}, "two_tower": {"recall@20": 0.5}}
    bounds = {"popularity": {"recall@20": (0.44, 0.54)}, "two_tower": {"recall@20": (0.45, 0.56)}}

    def title(models: dict[str, dict[str, float]], certain: Any = ()) -> str:
        figure = modelcharts.evaluation(models, bounds, TITLES, ["popularity"], "light", certain=certain)
        return str(figure.layout.title.text).replace("<br>", " ")

    assert title(near) == "Two-tower has recall@20 0.500, Popularity 0.490: the difference may be chance"
    assert "leads" in title(near, {("two_tower", "popularity")})
    level = near | {"popularity": {"recall@20": 0.4999}}
    assert title(level, {("two_tower", "popularity")}) == "Two-tower and Popularity are level with recall@20 0.500"
    assert title({}) == "No model is measured yet"


def test_empty_tables_are_drawn_too() -> None:
    nothing = [
        charts.index_quality([], "light"),
        charts.long_tail(pl.Series([], dtype=pl.Int64), "light"),
        charts.long_tail(pl.Series([0, 0]), "light"),
        charts.published_devices(published.best_qps(0.95).clear(), 0.95, "light"),
        charts.published_devices(published.best_qps(0.95).filter(pl.col("device") == "cpu"), 0.95, "light"),
        charts.item_map(ITEMS.clear(), "light"),
        charts.histogram(pl.DataFrame({"value": [], "count": []}), "light", "None", "x", "y"),
        charts.latency({"encode": 0.0, "search": 0.0, "total": 0.0}, "light"),
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
