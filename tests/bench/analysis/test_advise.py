"""The adviser names the cheapest measured setting, what else there is, and why."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.bench.analysis.advise import Wish, advise, usd
from pipeline.bench.analysis.cost import with_cost
from pipeline.bench.analysis.prices import Price
from pipeline.bench.analysis.settings import label, summarise
from pipeline.bench.run.tune import Goal
from pipeline.core.errors import UserError
from tests.made.points import ends, point, points

PRICE = Price("test", 0.03, 0.004)
MADE = points(
    point(0.92, 4000, search={"ef": 50}, p99_ms=2.0),
    point(0.96, 3000, search={"ef": 100}, p99_ms=3.0),
    point(0.985, 2000, search={"ef": 200}, p99_ms=5.0),
    point(0.97, 2500, {"nlist": 128}, {"nprobe": 8}, index="IVF_FLAT", p99_ms=1.5, memory_mb=300),
)


def _priced(made: pl.DataFrame, qps: float | None = None) -> pl.DataFrame:
    return with_cost(summarise(made), PRICE, qps)


def test_cost_is_instance_hours_times_the_instances_that_the_load_needs() -> None:
    row = with_cost(summarise(points(point(0.9, 400.0))), PRICE, 1000).row(0, named=True)
    month = 730 * (2 * 0.03 + 500e6 / 2**30 * 0.004)
    assert row["replicas"] == 3
    assert row["usd_instance"] == pytest.approx(month)
    assert row["usd_month"] == pytest.approx(3 * month)
    assert row["usd_million"] == pytest.approx(month / 730 / 3600 / 400 * 1e6)


def test_a_gpu_costs_the_whole_instance_of_the_list_whatever_the_cores() -> None:
    made = points(point(0.96, 4000.0, device="gpu", index="GPU_CAGRA"), point(0.96, 400.0))
    priced = with_cost(summarise(made), replace(PRICE, gpu_hour_usd=1.5), cores=64)
    gpu = priced.filter(priced["device"] == "gpu").row(0, named=True)
    assert gpu["usd_instance"] == 730 * 1.5
    found = advise(priced.filter(priced["device"] == "gpu"), Wish(recall=0.9, qps=1000))
    assert "1,000 QPS take one instance, 25 % busy, with one GPU: $1,095 a month." in found.why


def test_more_cores_cost_more_and_a_gpu_without_a_price_has_no_cost() -> None:
    made = summarise(points(point(0.9, 400.0), point(0.9, 400.0, device="gpu")))
    assert with_cost(made, PRICE, cores=8)["usd_instance"][0] > 3 * with_cost(made, PRICE)["usd_instance"][0]
    assert with_cost(made, PRICE)["usd_month"].to_list()[1] is None
    assert with_cost(summarise(points(point(0.9, 1.0), cores=None)), PRICE)["usd_month"].to_list() == [None]


def test_the_cheapest_that_has_the_recall() -> None:
    found = advise(_priced(MADE), Wish(recall=0.95))
    assert found.best is not None
    assert label(found.best) == "HNSW M 16, ef 100"
    cheapest = "HNSW M 16, ef 100 is the cheapest of 3 measured settings with recall ≥ 0.95"
    assert found.why[0] == f"{cheapest}: 3,000 QPS, recall 0.960, p99 3 ms."
    assert "A million queries cost $0.00573" in found.why[1]
    told = [(label(row), why) for row, why in found.alternatives]
    assert told[0][0] == "HNSW M 16, ef 200"
    assert "recall 0.985; costs 50 % more" in told[0][1]
    assert told[1][0] == "IVF_FLAT nlist 128, nprobe 8"
    assert "Another index type" in told[1][1]


def test_every_limit_counts() -> None:
    def best(**wish: float) -> str:
        found = advise(_priced(MADE, wish.get("qps")), Wish(**wish))
        return label(found.best) if found.best else "none"

    assert best(p99_ms=2.5) == "HNSW M 16, ef 50"
    assert best(recall=0.95, p99_ms=2.5) == "IVF_FLAT nlist 128, nprobe 8"
    assert best(memory_mb=400) == "IVF_FLAT nlist 128, nprobe 8"
    assert best(recall=0.95, qps=2200) == "IVF_FLAT nlist 128, nprobe 8"  # one instance of either, and less memory
    assert best(recall=0.95, qps=3000) == "HNSW M 16, ef 100"  # one instance against two
    assert best(recall=0.95, qps=3000, usd_month=10) == "none"


def test_what_cannot_be_had_says_what_comes_nearest() -> None:
    found = advise(_priced(MADE), Wish(recall=0.98, p99_ms=2))
    assert found.best is None
    assert found.why == [
        "None of the 4 measured settings has recall ≥ 0.98 and p99 ≤ 2 ms.",
        "The most recall with p99 ≤ 2 ms is 0.97: IVF_FLAT nlist 128, nprobe 8.",
        "The least p99 with recall ≥ 0.98 is 5 ms: HNSW M 16, ef 200.",
    ]


def test_costs_whose_spreads_overlap_are_not_called_different() -> None:
    repeated = [point(0.96, q, repeat=n) for n, q in enumerate((900, 1000, 1100))]
    repeated += [point(0.99, q, search={"ef": 200}, repeat=n) for n, q in enumerate((850, 950, 1050))]
    found = advise(_priced(points(*repeated)), Wish(recall=0.95))
    (row, why), *_ = found.alternatives
    assert row["recall"] == 0.99
    assert why == "Finds more, recall 0.990; costs the same within the spread."
    assert not any("three repeats" in sentence for sentence in found.why)


def test_doubts_are_said() -> None:
    found = advise(
        _priced(points(point(0.951, 1000, recall_low=0.945, recall_high=0.957, client_bound=True))), Wish(0.95)
    )
    text = " ".join(found.why)
    assert "lies between 0.945 and 0.957" in text
    assert "The client was the limit" in text
    assert "three repeats" in text


def test_without_a_price_the_fastest_is_first() -> None:
    found = advise(_priced(points(point(0.99, 10, device="gpu"), point(0.99, 20, {"x": 1}, device="gpu"))), Wish(0.9))
    assert found.best is not None
    assert found.best["qps"] == 20
    assert "the fastest of 2" in found.why[0]
    assert found.why[1].startswith("No cost is known for it")
    assert found.why[1].endswith("so the most QPS came first.")


@pytest.mark.parametrize(("wish", "expected"), [({"recall": 95}, "A recall of 95 is"), ({"qps": 0}, "qps 0 is out")])
def test_wishes_that_make_no_sense_are_refused(wish: dict[str, float], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        Wish(**wish)


def test_dollars_have_the_digits_that_matter() -> None:
    assert [usd(v) for v in (12345.6, 24.3, 0.5, 0.00123)] == ["$12,346", "$24.30", "$0.50", "$0.00123"]


def _noisy(**other: Any) -> pl.DataFrame:
    """Give three index types of two seconds each, which a calm machine would find level."""
    return points(
        point(1.0, 286, {"M": 16}, {"ef": 20}, **other),
        point(1.0, 251, {"nlist": 64}, {"nprobe": 32}, index="IVF_FLAT", **other),
        point(1.0, 227, {"x": 1}, {"y": 1}, index="FLAT", **other),
    )


def test_one_run_without_slices_crowns_nobody() -> None:
    found = advise(_priced(_noisy(sliced=False)), Wish(recall=0.95))
    assert "is the" not in found.why[0]
    assert "HNSW M 16, ef 20 came first of 3 measured settings" in found.why[0]
    assert "IVF_FLAT nlist 64, nprobe 32 follows" in found.why[0]
    assert "may be chance" in found.why[0]
    assert all(why.endswith("which may be chance.") for _, why in found.alternatives)


def test_slices_that_overlap_crown_nobody_and_those_that_do_not_do() -> None:
    wide, narrow = (
        points(*[row | ends(row, off) for row in _noisy().drop("run", "cores").iter_rows(named=True)])
        for off in (0.1, 0.03)
    )
    assert "may be chance" in advise(_priced(wide), Wish(0.95)).why[0]
    assert "is the cheapest of 3 measured settings" in advise(_priced(narrow), Wish(0.95)).why[0]


def test_what_reads_alike_is_level() -> None:
    made = points(point(0.99, 1000.0), point(0.99, 1000.2, search={"ef": 101}))
    assert "is level with it at $" in advise(_priced(made), Wish(0.95)).why[0]


@pytest.mark.parametrize(
    ("best", "other", "off", "expected"),
    [
        (0.9999, 1.0, 0.0, "none"),  # both read 1.000
        (0.96, 0.985, 0.0, "half"),
        (0.96, 0.985, 0.02, "none"),  # the queries that were sampled cannot tell
        (0.96, 0.97, 0.0, "none"),  # misses three quarters
        (0.9604, 0.9804, 0.004, "none"),
    ],
)
def test_half_as_many_are_missed_only_where_the_queries_tell(
    best: float, other: float, off: float, expected: str
) -> None:
    rows = [
        point(r, q, {"M": 16}, {"ef": ef}, recall_low=r - off, recall_high=min(1.0, r + off))
        for r, q, ef in ((best, 3000.0, 100), (other, 1000.0, 200))
    ]
    whys = [why for _, why in advise(_priced(points(*rows)), Wish(0.9)).alternatives]
    assert any("Misses half" in why for why in whys) == (expected == "half")


def test_finds_more_never_stands_beside_the_same_recall() -> None:
    rows = [point(r, 1000.0, search={"ef": ef}, repeat=n) for r, ef in ((0.9996, 100), (1.0, 200)) for n in (0, 1)]
    assert not advise(_priced(points(*rows)), Wish(0.9)).alternatives


def test_what_is_out_of_date_never_wins() -> None:
    made = points(point(0.99, 9000.0)).with_columns(pl.lit(True).alias("stale"))
    both = pl.concat([made, points(point(0.99, 100.0, search={"ef": 300})).with_columns(pl.lit(False).alias("stale"))])
    found = advise(_priced(both), Wish(0.95))
    assert found.best is not None
    assert found.best["qps"] == 100
    assert "1 of 2 settings are left out" in found.why[-1]
    none = advise(_priced(made), Wish(0.95))
    assert none.best is None
    assert "1 of 1 settings are left out" in none.why[0]


def test_memory_that_is_not_known_is_not_free() -> None:
    """A setting without it would be the cheapest of all by its lack of a figure."""
    made = points(point(0.96, 3000), point(0.97, 2900, {"nlist": 128}, index="IVF_FLAT", memory_mb=None))
    priced = _priced(made)
    assert priced["usd_instance"].is_null().to_list() == [False, True]
    found = advise(priced, Wish(recall=0.95))
    assert found.best is not None
    assert label(found.best).startswith("HNSW")
    assert found.why[0].startswith(f"{label(found.best)} is the only measured setting with recall ≥ 0.95")
    assert found.why[2] == (
        "1 more setting has that too, but cannot compete: no cost is known there, because its memory, its cores "
        "or a GPU's price is unknown."
    )
    alone = advise(priced.filter(pl.col("index") == "IVF_FLAT"), Wish(recall=0.95))
    assert "No cost is known for it" in alone.why[1]
    assert advise(priced.filter(pl.col("index") == "IVF_FLAT"), Wish(usd_month=1000)).best is None


@given(st.lists(st.tuples(st.floats(1, 1e5), st.one_of(st.none(), st.floats(0, 1e6))), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_cheapest_has_a_known_cost_wherever_any_has(drawn: list[tuple[float, float | None]]) -> None:
    made = points(*(point(0.96, qps, search={"ef": 100 + n}, memory_mb=mb) for n, (qps, mb) in enumerate(drawn)))
    found = advise(_priced(made), Wish(recall=0.9))
    costs = [(730 * (2 * 0.03 + mb * 1e6 / 2**30 * 0.004)) / qps for qps, mb in drawn if mb is not None]
    assert found.best is not None
    if costs:
        assert found.best["usd_million"] == pytest.approx(min(costs) / 730 / 3600 * 1e6)
    else:
        assert found.best["qps"] == max(qps for qps, _ in drawn)


def test_a_limit_that_is_no_number_is_refused() -> None:
    for name in ("recall", "p99_ms", "memory_mb", "usd_month", "qps"):
        with pytest.raises(UserError, match="out of range"):
            Wish(**{name: float("nan")})
    with pytest.raises(UserError, match="p99 nan ms is out of range"):
        Goal(0.9, float("nan"))
    with pytest.raises(UserError, match="recall nan is out of range"):
        Goal(float("nan"))
