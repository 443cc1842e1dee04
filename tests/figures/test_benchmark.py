"""A benchmark's figures: the title says the finding, what was published is hollow, spreads are bars."""

import math
import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.bench.analysis import reread
from pipeline.bench.analysis.advise import Wish, advise
from pipeline.bench.analysis.cost import with_cost
from pipeline.bench.analysis.settings import summarise
from pipeline.figures import benchmark, fairness
from pipeline.figures.figure import Figure, log_axis
from pipeline.figures.marks import hover, index_colour
from pipeline.figures.rates import rates
from pipeline.figures.theme import PALETTES
from pipeline.search.catalogue import CATALOGUE
from tests.made.points import ends, point, points
from tests.made.settings import MADE, PRICE, figures, made


def _title(figure: Figure) -> str:
    return str(figure.layout.title.text).replace("<br>", " ").replace("\u00a0", " ")


@pytest.mark.parametrize("mode", PALETTES)
def test_every_figure_has_a_title_that_fits_and_axes_with_units(mode: str) -> None:
    for name, figure in figures(mode).items():
        assert max(len(line) for line in figure.layout.title.text.split("<br>")) <= 130, name
        assert figure.layout.yaxis.title.text or name == "speed-ups"
        assert figure.layout.template.layout.font.color == PALETTES[mode].text
        assert figure.layout.xaxis.title.text or name == "as published"


def test_titles_say_the_finding() -> None:
    titles = {name: _title(figure) for name, figure in figures("light").items()}
    assert titles["qps"] == "HNSW M 16, ef 100 is the fastest above recall 0.95: 4,000 QPS"
    assert titles["cost"] == "HNSW M 16, ef 100 is the cheapest above recall 0.95: $0.0043 a million queries"
    assert titles["latency"] == "HNSW M 16, ef 100 and HNSW M 16, ef 200 are level above recall 0.95: 3 ms"
    assert titles["load"] == "HNSW answers 4,000 QPS with 4 clients, 4 times the 1,000 of 1 client"
    assert titles["build"] == "IVF_FLAT builds in 2.0 s, HNSW in up to 10 s; IVF_FLAT takes the least memory, 400 MB"
    assert titles["speed-ups"] == "Like for like, the GPU answered 1.4 to 3.7 times the CPU's queries, not up to 92"
    assert "No setting reaches recall 0.999" in _title(benchmark.frontier(MADE, "light", "qps", 0.999))


def test_spreads_are_bars_and_one_measurement_has_none() -> None:
    traces = {t.name: t for t in figures("light")["qps"].data if t.mode == "lines+markers"}
    assert traces["HNSW"].error_y.array == pytest.approx((400, 240))
    assert traces["IVF_FLAT"].error_y.array is None


def test_clients_that_add_nothing_that_could_be_told_are_said_to() -> None:
    rows = [
        point(0.96, q * (1 + 0.2 * r), concurrency=c, repeat=r) for c, q in ((1, 100.0), (4, 105.0)) for r in (0, 1)
    ]
    title = _title(benchmark.concurrency(summarise(points(*rows)), "light"))
    assert title == "More clients do not measurably raise HNSW's QPS: 110 with 1 client"


def test_the_line_is_the_front_and_what_is_beaten_is_faint() -> None:
    front, cloud = (
        next(t for t in figures("light")["qps"].data if t.name == "HNSW" and t.mode == mode)
        for mode in ("lines+markers", "markers")
    )
    assert list(front.x) == [0.96, 0.99]
    assert list(cloud.x) == [0.9]
    assert cloud.marker.opacity < front.marker.opacity
    assert front.customdata[0] == 'made|HNSW|{"M": 16}|{"ef": 100}'


def test_what_was_published_is_hollow_and_a_gpu_is_a_diamond() -> None:
    for trace in figures("light")["published"].data:
        assert trace.marker.color == "rgba(0,0,0,0)"
        assert trace.marker.symbol == ("diamond" if "GPU" in trace.name else "circle")
        assert "published" in trace.name
    assert {t.marker.color for t in figures("light")["as published"].data} == {"rgba(0,0,0,0)"}


def test_a_point_where_the_client_was_the_limit_has_a_ring_and_says_so() -> None:
    bound = made(client_bound=True)
    rings = [t for t in benchmark.frontier(bound, "light").data if t.marker.symbol == "circle-open"]
    assert len(rings) == 1
    assert "the server can do more" in rings[0].name
    assert "the server can do more" in hover(bound.row(0, named=True))
    assert not [t for t in figures("light")["qps"].data if t.marker.symbol == "circle-open"]


def test_hovering_tells_the_whole_setting() -> None:
    text = hover(MADE.row(0, named=True))
    for part in (
        "HNSW M 16, ef 100",
        "1 query per request",
        "1 client,",
        "1,000 QPS (900–1,100, 3 times)",
        "p50, p95, p99: 1, 2, 3 ms",
        "memory ≈ 500 MB, estimated",
        "the server's processes use 900 MB, 610 MB more than before",
        "run made",
    ):
        assert part in text, part


def test_many_beaten_settings_are_thinned_and_the_front_is_whole() -> None:
    rows = [point(0.5 + n / 10_000, 5.0, {"M": 16}, {"ef": n}) for n in range(2000)]
    rows += [point(0.8 + n / 100, 5000.0 - 100 * n, {"M": 32}, {"ef": n}) for n in range(15)]
    figure = benchmark.frontier(summarise(points(*rows)), "light")
    assert sum(len(t.x) for t in figure.data if t.mode == "markers") <= benchmark.MOST_BEATEN
    assert len(next(t for t in figure.data if t.mode == "lines+markers").x) == 15


def test_empty_tables_are_drawn_too() -> None:
    none = MADE.clear()
    for draw in (benchmark.frontier, benchmark.latencies, benchmark.concurrency, benchmark.building):
        assert draw(none, "light").layout.title.text
    pairs = reread.cpu_gpu_pairs().clear()
    assert "No figures of both CPU and GPU" in _title(fairness.speed_ups([], "light"))
    for empty in (fairness.as_published, fairness.bits):
        assert "No figures of both CPU and GPU" in _title(empty(pairs, "item-item", "light"))
    assert "No figures of both CPU and GPU" in _title(fairness.ceiling(pairs, "light"))


def test_ticks_of_a_logarithmic_axis_are_few_and_in_range() -> None:
    assert log_axis([12.0, 800.0], "x")["ticktext"] == ["10", "20", "50", "100", "200", "500", "1,000"]
    assert log_axis([0.001, 1000.0], "x")["ticktext"][:2] == ["0.001", "0.01"]
    assert log_axis([None], "x")["ticktext"] == ["0.9", "1"]
    assert log_axis([4.1, 6.5], "x")["ticktext"] == ["4", "5", "6", "7", "8"]


@pytest.mark.parametrize("mode", PALETTES)
def test_index_types_of_a_device_have_colours_of_their_own(mode: str) -> None:
    common = [name for name, entry in CATALOGUE.items() if entry.device == "cpu" and entry.family != "flat"][:8]
    assert len({index_colour(name, PALETTES[mode]) for name in common}) == 8
    assert index_colour("FLAT", PALETTES[mode]) == PALETTES[mode].exact


def _three(off: float | None, **other: Any) -> pl.DataFrame:
    """Give three index types of one short run each, with so wide slices; None: a run that kept none."""
    types = (("HNSW", 286.0), ("IVF_FLAT", 251.0), ("FLAT", 227.0))
    rows = [point(1.0, qps, index=name, p99_ms=1000 / qps, sliced=off is not None, **other) for name, qps in types]
    rows = [row | (ends(row, off) if off is not None else {}) for row in rows]
    return with_cost(summarise(points(*rows)), PRICE)


DRAWN: dict[str, Callable[[pl.DataFrame], Figure]] = {
    "the fastest": lambda made: benchmark.frontier(made, "light"),
    "the cheapest": lambda made: benchmark.frontier(made, "light", "usd_million"),
    "the quickest": lambda made: benchmark.latencies(made, "light"),
}


@pytest.mark.parametrize("rank", DRAWN)
def test_a_winner_is_named_only_where_spreads_allow_it(rank: str) -> None:
    for off in (None, 0.1):
        title = _title(DRAWN[rank](_three(off)))
        assert rank not in title
        assert "HNSW M 16, ef 100 came first" in title
        assert title.endswith("may be chance")
    assert rank in _title(DRAWN[rank](_three(0.03)))


def test_growth_with_clients_is_told_only_where_spreads_allow_it() -> None:
    once = points(*[point(0.96, 250.0 + c, concurrency=c, sliced=False) for c in (1, 4)])
    assert _title(benchmark.concurrency(summarise(once), "light")).endswith("that may be chance")


def test_a_run_that_is_out_of_date_is_marked_and_never_wins() -> None:
    old = _three(0.01).with_columns(pl.lit(True).alias("stale"), pl.lit("old").alias("run"))
    both = pl.concat([old, MADE.filter(pl.col("concurrency") == 1)], how="diagonal")
    for draw in (benchmark.frontier, benchmark.latencies, benchmark.concurrency, benchmark.building):
        assert "out of date" in _title(draw(old, "light"))
        assert "out of date" not in _title(draw(both, "light"))
        assert any("out of date" in trace.name for trace in draw(both, "light").data) or draw is benchmark.latencies
    assert "(out of date)" in hover(old.row(0, named=True))


FIGURE = st.one_of(st.just(math.nan), st.floats(0.01, 1e5))
ROWS = st.lists(
    st.tuples(st.floats(0.5, 1), st.floats(0.01, 1e5), FIGURE, st.booleans(), st.booleans(), st.sampled_from([1, 4])),
    max_size=5,
)


@settings(max_examples=12, deadline=None)
@given(ROWS)
def test_every_small_table_has_a_title_in_plain_words(rows: list[tuple[Any, ...]]) -> None:
    made = [
        point(r, q, search={"ef": n}, p99_ms=p, p50_ms=p, p95_ms=p, sliced=sliced, concurrency=c, loop=loop, rate=rate)
        for n, (r, q, p, _, sliced, c) in enumerate(rows)
        for loop, rate in (("closed", None), ("open", 10.0))
    ]
    stale = [old for *_, old, _, _ in rows for _ in range(2)]
    table = points(*made).with_columns(pl.Series("stale", stale, pl.Boolean))
    table = with_cost(summarise(table), PRICE)
    drawn = [benchmark.frontier(table, "light", name) for name in ("qps", "usd_million", "p99_ms", "memory_mb")]
    drawn += [f(table, "light") for f in (benchmark.latencies, benchmark.concurrency, benchmark.building, rates)]
    told = [_title(figure) for figure in drawn]
    told += advise(table, Wish(recall=0.95)).why + advise(with_cost(table, PRICE, 100.0), Wish(p99_ms=5, qps=100)).why
    for text in told:
        assert text
        assert not {"nan", "inf", "none", "$nan", "$inf"} & set(re.split(r"[\s:;,]+", text)), text
