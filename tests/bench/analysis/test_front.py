"""Repeats become a median with its spread; the front keeps what no other setting beats."""

import numpy as np
import polars as pl
import pytest

from pipeline.bench.analysis.front import PLACE, front, place
from pipeline.bench.analysis.settings import label, load_label, spread, summarise, where
from pipeline.core.errors import UserError
from tests.made.points import ends, point, points


def _settings(*pairs: tuple[float, float], **other: object) -> pl.DataFrame:
    return summarise(points(*[point(r, q, search={"ef": n}, **other) for n, (r, q) in enumerate(pairs)]))


def test_repeats_become_a_median_with_its_spread() -> None:
    made = points(*[point(0.9, q, repeat=n, recall_low=0.9 - 0.01 * n) for n, q in enumerate((100, 140, 110))])
    row = summarise(made).row(0, named=True)
    assert (row["repeats"], row["qps_low"], row["qps"], row["qps_high"]) == (3, 100, 110, 140)
    assert row["recall_low"] == pytest.approx(0.88)


def test_points_that_failed_count_for_nothing() -> None:
    made = points(point(0.9, 100), point(None, None, search={"ef": 5}, error="the server is gone"))
    assert summarise(made).height == 1
    assert summarise(made.clear()).height == 0
    assert front(summarise(made.clear())).is_empty()


def test_whether_the_client_was_the_limit_stays_unknown_where_nobody_measured_it() -> None:
    made = summarise(points(point(0.9, 100, client_bound=None), point(0.9, 100, client_bound=None, repeat=1)))
    assert made["client_bound"].to_list() == [None]
    bound = summarise(points(point(0.9, 100, client_bound=None), point(0.9, 100, client_bound=True, repeat=1)))
    assert bound["client_bound"].to_list() == [True]


def test_the_front_is_what_no_other_beats() -> None:
    rng = np.random.default_rng(3)
    pairs = [(float(r), float(q)) for r, q in zip(rng.random(200).round(2), rng.random(200).round(2) + 1, strict=True)]
    kept = {(row["recall"], row["qps"]) for row in front(_settings(*pairs)).iter_rows(named=True)}
    brute = {
        (r, q) for r, q in pairs if not any((a >= r and b > q) or (a > r and b >= q) for a, b in pairs)
    }  # by definition
    assert kept == brute


def test_a_front_of_latency_wants_less() -> None:
    made = summarise(
        points(
            point(0.9, 1, p99_ms=2.0, search={"ef": 1}),
            point(0.95, 1, p99_ms=3.0, search={"ef": 2}),
            point(0.8, 1, p99_ms=2.5, search={"ef": 3}),
            point(0.99, 1, p99_ms=None, search={"ef": 4}),
        )
    )
    assert front(made, "p99_ms")["recall"].to_list() == [0.9, 0.95]


def test_what_overlaps_in_both_figures_is_tied_and_not_beaten() -> None:
    rows = [point(0.95, q, repeat=n, recall_low=0.94, recall_high=0.96) for n, q in enumerate((90, 100, 110))]
    rows += [
        point(0.945, q, repeat=n, search={"ef": 9}, recall_low=0.93, recall_high=0.955)
        for n, q in enumerate((85, 95, 105))
    ]
    rows += [
        point(0.945, q, repeat=n, search={"ef": 8}, recall_low=0.93, recall_high=0.955)
        for n, q in enumerate((60, 65, 70))
    ]
    rows += [point(0.90, q, repeat=n, search={"ef": 7}) for n, q in enumerate((85, 95, 105))]  # as quick, finds less
    placed = dict(place(summarise(points(*rows))).select("search", PLACE).rows())
    assert placed == {'{"ef": 100}': "front", '{"ef": 9}': "tied", '{"ef": 8}': "beaten", '{"ef": 7}': "beaten"}


def test_settings_under_different_loads_do_not_compete() -> None:
    made = summarise(points(point(0.9, 100), point(0.9, 10_000, nq=1000), point(0.9, 50, loop="open", rate=50.0)))
    assert front(made).height == 3
    assert front(made, by=("scenario",)).height == 1


def test_labels_say_what_was_set_and_how_it_was_asked() -> None:
    row = summarise(points(point(0.9, 1, {"M": 16}, {"ef": 120}, client="pymilvus"))).row(0, named=True)
    assert label(row) == "HNSW M 16, ef 120"
    assert load_label(row) == "item-item, 1 query per request, 4 clients, top-k 100, through pymilvus"


def test_settings_are_chosen_by_column_or_parameter() -> None:
    made = summarise(points(point(0.9, 1, {"nbits": 8}), point(0.9, 1, {"nbits": 12}), point(0.8, 2, device="gpu")))
    assert where(made, {"device": "GPU"}).height == 1
    assert where(made, {"nbits": 12, "device": "cpu"}).height == 1
    with pytest.raises(UserError, match="No point has 'nbit': .* Did you mean nbits?"):
        where(made, {"nbit": 8})


def test_what_is_out_of_date_is_never_on_the_front() -> None:
    made = points(point(0.99, 9000.0), point(0.9, 100.0, search={"ef": 10}))
    old = summarise(made.with_columns(pl.Series("stale", [True, False])))
    assert front(old)["qps"].to_list() == [100]
    assert place(old).sort("qps")[PLACE].to_list() == ["front", "beaten"]


def test_one_run_has_the_spread_of_its_slices_and_an_old_one_none() -> None:
    row = point(0.9, 100.0)
    made = points(row | ends(row, 0.1), point(0.9, 100.0, search={"ef": 10}, sliced=False))
    sliced, old = summarise(made).iter_rows(named=True)
    found = spread(sliced, "qps")
    assert (found.low, found.high, found.known) == (pytest.approx(90), pytest.approx(110), True)
    assert not spread(old, "qps").known
    assert spread(old, "recall").known
