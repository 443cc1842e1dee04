"""Titles say the finding, and only what the figures can tell apart."""

from typing import Any

from pipeline.figures import charts
from pipeline.figures import models as modelcharts
from pipeline.figures.figure import blank, title
from tests.made.tables import BUILT, CURVES, TITLES, figures


def test_titles_say_the_finding() -> None:
    found = figures("light")
    assert found["training"].layout.title.text == "Validation recall@20 reached 0.420"
    best = "session-1: validation recall@20 reached 0.420, session-2 0.400; between two trainings that may be chance"
    assert found["trainings"].layout.title.text.replace("<br>", " ") == best
    assert "different sessions" in modelcharts.trainings(CURVES, "light", alike=False).layout.title.text.replace(
        "<br>", " "
    )
    assert "Two-tower leads with recall@20 0.500" in found["evaluation"].layout.title.text.replace("<br>", " ")
    assert "from 0.40 (1 click) to 0.60 (2)" in found["slices"].layout.title.text.replace("<br>", " ")
    assert "a-cagra has the lowest latency at recall ≥ 0.95" in found["quality"].layout.title.text.replace("<br>", " ")
    assert "3.0 to 3.5 times" in found["published"].layout.title.text.replace("<br>", " ")


def test_a_title_is_one_text_whatever_the_lines_of_a_saved_picture() -> None:
    told = "A finding that goes on " * 12
    figure, _ = blank("light", told)
    assert "<br>" in figure.layout.title.text
    assert title(figure) == told.strip()
    assert figure.layout.margin.t > blank("light", "Short")[0].layout.margin.t


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
