"""A figure's interval, and whether figures may be called different, against plain float64 arithmetic."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.spread import Spread, kept, median_in_order, of_slices, percentile_of_slices, told_apart

FIGURES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=40)
FEW = settings(max_examples=60, deadline=None)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(1, 1000), min_size=1, max_size=20))
def test_the_interval_of_slices_is_that_of_their_means_drawn_anew(values: list[float]) -> None:
    many, random = len(values), np.random.default_rng(42)
    alone = random.multinomial(many, [1 / many] * many, size=1000).tolist()
    means = [math.fsum(v * n for v, n in zip(values, row, strict=True)) / many for row in alone]
    long = max(1, many // 4)
    runs = random.multinomial(many // long, [1 / many] * many, size=1000).tolist()
    sums = [math.fsum(values[(start + n) % many] for n in range(long)) for start in range(many)]
    blocks = [math.fsum(s * n for s, n in zip(sums, row, strict=True)) / (many // long * long) for row in runs]
    found, mean = of_slices(values), statistics.fmean(values)
    low, high = (np.percentile([means, blocks], end, axis=1) for end in (2.5, 97.5))
    expected = mean, min(mean, *low), max(mean, *high)
    assert (found.value, found.low, found.high) == pytest.approx(expected)


def test_a_machine_that_was_busy_for_a_while_makes_a_wider_interval_than_one_that_flickers() -> None:
    busy, flickers = of_slices([50.0] * 10 + [20.0] * 10), of_slices([50.0, 20.0] * 10)
    assert busy.high - busy.low > 1.4 * (flickers.high - flickers.low)


def test_slices_that_count_at_random_have_the_interval_of_theory() -> None:
    counts = np.random.default_rng(5).poisson(100, 100)
    found = of_slices(counts.tolist())
    assert found.high - found.low == pytest.approx(2 * 1.96 * 10 / math.sqrt(100), rel=0.3)


@FEW
@given(FIGURES, st.floats(1e-3, 1e3))
def test_no_unit_changes_an_interval(values: list[float], times: float) -> None:
    one, other = of_slices(values), of_slices([v * times for v in values])
    expected = [v * times for v in (one.value, one.low, one.high)]
    assert [other.value, other.low, other.high] == pytest.approx(expected)
    assert one.low <= one.value <= one.high
    assert min(values) - 1e-9 * max(values) <= one.low <= one.high <= max(values) * (1 + 1e-9)


@FEW
@given(st.lists(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=12), min_size=1, max_size=20), st.floats(1, 99))
def test_a_percentile_of_slices_is_that_of_all_they_saw(slices: list[list[float]], percent: float) -> None:
    values = np.unique(np.concatenate(slices))
    counts = np.array([[part.count(v) for v in values] for part in slices], np.float64)
    found = percentile_of_slices(values, counts, percent)
    whole = np.sort(np.concatenate(slices))
    expected = whole[math.ceil(len(whole) * percent / 100 * (1 - 1e-12)) - 1]
    assert found.value == expected
    assert values[0] <= found.low <= found.value <= found.high <= values[-1]
    assert found.known == (len(slices) > 1)


def test_what_never_varies_is_known_and_what_was_seen_once_is_not() -> None:
    assert of_slices([5.0] * 20) == Spread(5.0, 5.0, 5.0, 20)
    assert not of_slices([5.0]).known
    assert not kept(5.0, None, None).known
    assert not median_in_order([3.0]).known
    assert not told_apart(of_slices([5.0]), [of_slices([500.0])])
    assert told_apart(of_slices([5.0] * 20), [of_slices([6.0] * 20)])


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0]])
def test_no_number_is_refused(values: list[float]) -> None:
    for make in (of_slices, median_in_order):
        with pytest.raises(ValueError, match="number"):
            make(values)


@FEW
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60))
def test_a_median_in_order_is_the_median(values: list[float]) -> None:
    found = median_in_order(values)
    assert found.value == pytest.approx(np.median(values))
    assert found.low <= found.value <= found.high
    assert found.known == (len(values) >= 4)


@FEW
@given(st.lists(st.tuples(st.floats(1, 100), st.floats(0, 20), st.integers(1, 20)), min_size=2, max_size=6))
def test_one_is_told_apart_where_its_interval_meets_no_other_and_reads_otherwise(
    made: list[tuple[float, float, int]],
) -> None:
    first, *others = [Spread(value, value - off, value + off, count) for value, off, count in made]
    (value, off, count), *rest = made
    expected = count > 1 and all(
        n > 1 and abs(v - value) > o + off + 1e-12 and f"{v:.0f}" != f"{value:.0f}" for v, o, n in rest
    )
    assert told_apart(first, others, lambda v: f"{v:.0f}") == expected


def test_equal_servers_are_seldom_told_apart_and_one_twice_as_fast_always_is() -> None:
    random = np.random.default_rng(3)
    wrong = twice = 0
    for _ in range(40):
        one, other, fast = (of_slices(random.poisson(mean, 20).tolist()) for mean in (12, 12, 24))
        wrong += told_apart(one, [other])
        twice += told_apart(fast, [one])
    assert wrong <= 1
    assert twice == 40
