"""The Overview's few settings hold the one that its headline speaks of."""

import pytest

from app.benchmark.news import shown
from pipeline.bench.analysis.settings import summarise
from tests.made.points import point, points

RECALLS = (0.80, 0.96, 0.97, 0.98, 0.99, 0.995, 1.0)


@pytest.mark.parametrize(("recalls", "first"), [(RECALLS, 0.96), ((0.7, 0.8, 0.9), 0.7), ((0.5, 0.99), 0.99)])
def test_the_fastest_that_keeps_the_recall_is_among_them(recalls: tuple[float, ...], first: float) -> None:
    made = points(*(point(recall, 1000 * (2 - recall), search={"ef": n}) for n, recall in enumerate(recalls, 100)))
    table = shown(summarise(made))
    assert table["recall"].to_list() == sorted(table["recall"], reverse=True)
    assert table["recall"].to_list()[-1] == first
    assert table.height <= 5
