"""The figure of open loops: the setting that bears the most, what was kept, and what was not."""

from pipeline.bench.analysis.settings import summarise
from pipeline.figures.rates import rates
from tests.made.points import point, points
from tests.made.settings import RATES, settings_at


def test_the_setting_that_keeps_the_highest_rate_is_drawn_with_its_three_percentiles() -> None:
    figure = rates(settings_at(), "light")
    assert (
        figure.layout.title.text.replace("<br>", " ")
        == "HNSW M 16, ef 100 keeps up with 100 requests a second: p99 2 ms"
    )
    lines = [t for t in figure.data if t.mode.startswith("lines")]
    assert [t.line.dash for t in lines] == ["solid", "dash", "dot"]
    assert all(list(t.x) == list(RATES) for t in lines)
    (late,) = [t for t in figure.data if t.mode == "markers"]
    assert list(late.x) == [200.0]
    assert "not kept" in late.name


def test_what_was_not_measured_or_not_kept_is_said() -> None:
    settings = settings_at()
    none = rates(settings.clear(), "dark")
    assert "No setting reaches recall 0.95" in none.layout.title.text.replace("<br>", " ")
    high = rates(settings, "light", 0.99)
    assert "the highest is 0.970" in high.layout.title.text.replace("<br>", " ")
    slow = summarise(points(point(0.97, 10.0, loop="open", rate=50.0)))
    assert "No setting keeps up with 50 requests a second" in rates(slow, "light").layout.title.text.replace(
        "<br>", " "
    )


def test_requests_of_many_queries_are_counted_as_requests() -> None:
    rows = [point(0.97, 5000.0, nq=100, loop="open", rate=50.0)]
    assert "keeps up with 50 requests" in rates(summarise(points(*rows)), "light").layout.title.text.replace(
        "<br>", " "
    )
