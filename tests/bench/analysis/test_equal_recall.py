"""A over B at equal recall, from both fronts, and only where both are known."""

import math

import polars as pl
import pytest

from pipeline.bench.analysis.equal_recall import at_equal_recall, claim, comparison_sentence
from pipeline.bench.analysis.settings import summarise, under
from pipeline.core.errors import UserError
from tests.made.points import point, points


def _front(*pairs: tuple[float, float], spread: float = 0.0) -> pl.DataFrame:
    rows = [
        point(r, q * (1 + side * spread), search={"ef": n}, repeat=k)
        for n, (r, q) in enumerate(pairs)
        for k, side in enumerate((-1, 0, 1) if spread else (0,))
    ]
    return summarise(points(*rows))


def test_between_two_settings_log_qps_follows_recall() -> None:
    found = at_equal_recall(_front((0.8, 4000), (1.0, 1000)), _front((0.8, 100), (1.0, 100)))
    middle = found.curve.filter((pl.col("recall") - 0.9).abs() < 2e-3)
    assert middle["times"].mean() == pytest.approx(math.sqrt(4000 * 1000) / 100, rel=0.02)
    assert (found.least, found.most) == pytest.approx((10, 40))


def test_a_setting_that_is_beaten_changes_nothing() -> None:
    b = _front((0.9, 100))
    fair = at_equal_recall(_front((0.8, 4000), (1.0, 1000)), b).curve
    assert at_equal_recall(_front((0.8, 4000), (0.9, 50), (1.0, 1000)), b).curve.equals(fair)


def test_turned_round_it_is_the_reciprocal_and_with_itself_one() -> None:
    a, b = _front((0.8, 4000), (0.99, 900)), _front((0.85, 300), (0.97, 200))
    there, back = at_equal_recall(a, b).curve["times"], at_equal_recall(b, a).curve["times"]
    assert (there * back).to_list() == pytest.approx([1] * len(there))
    assert at_equal_recall(a, a).curve["times"].to_list() == pytest.approx([1] * len(at_equal_recall(a, a).curve))


def test_it_is_defined_only_up_to_what_both_reach() -> None:
    found = at_equal_recall(_front((0.7, 4000), (0.95, 1000)), _front((0.9, 500), (0.99, 100)))
    assert (found.low, found.high, found.both_from, found.later) == (0.7, 0.95, 0.9, "b")
    at_low = found.curve.row(0, named=True)
    assert at_low["b"] == pytest.approx(500)  # its fastest finds more than .7, and is no slower for it
    assert comparison_sentence(found, "A", "B") == (
        "A answers 2.6 to 8 times the queries of B at equal recall, 0.700 to 0.950; "
        "below recall 0.900, B keeps its fastest setting, which finds more than that."
    )


def test_spreads_that_overlap_are_not_called_different() -> None:
    near = at_equal_recall(_front((0.9, 1000), spread=0.1), _front((0.9, 1100), spread=0.1))
    assert not near.told_apart
    assert "no difference is claimed" in comparison_sentence(near, "A", "B")
    far = at_equal_recall(_front((0.9, 1000), spread=0.1), _front((0.9, 3000), spread=0.1))
    assert far.told_apart
    assert far.curve["times_low"][0] == pytest.approx(900 / 3300)


def test_a_side_without_settings_is_a_sentence() -> None:
    with pytest.raises(UserError, match="no measured settings"):
        at_equal_recall(_front((0.9, 1)), _front((0.9, 1)).clear())


def test_only_what_was_asked_alike_is_compared() -> None:
    made = summarise(points(point(0.9, 1), point(0.9, 9, nq=1000), point(0.9, 5, client="pymilvus")))
    assert under(made, {})["qps"].to_list() == [1]
    assert under(made, {"nq": 1000})["qps"].to_list() == [9]
    assert under(made, {"client": "pymilvus"})["qps"].to_list() == [5]
    assert under(made, {"client": "both"})["qps"].to_list() == [1, 5]
    with pytest.raises(UserError, match="No point was measured with nq 7: choose 1, 1000"):
        under(made, {"nq": 7})


def test_one_run_each_may_be_chance() -> None:
    once = [summarise(points(point(0.9, qps, sliced=False))) for qps in (286, 251)]
    found = at_equal_recall(*once)
    assert not found.told_apart
    assert claim(found, "A", "B") == "A answers 1.1 times the queries of B at equal recall, which may be chance"
    assert "one measurement does not show how much it varies" in comparison_sentence(found, "A", "B")


def test_a_side_that_is_out_of_date_is_said_to_be() -> None:
    old = summarise(points(point(0.9, 300)).with_columns(pl.lit(True).alias("stale")))
    found = at_equal_recall(old, _front((0.9, 100)))
    assert not found.told_apart
    assert "A is out of date" in comparison_sentence(found, "A", "B")
    assert at_equal_recall(pl.concat([old, _front((0.9, 200))]), _front((0.9, 100))).most == pytest.approx(2)
