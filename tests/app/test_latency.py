"""The bars of where a query's time went say the times that there are."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommend.latency import bars
from pipeline.figures.theme import PALETTES

TIMES = st.floats(0, 1e5)  # ms


@pytest.mark.parametrize("mode", PALETTES)
@given(encode=TIMES, search=TIMES, rest=TIMES)
def test_each_part_is_as_long_as_its_share_of_the_longest(mode: str, encode: float, search: float, rest: float) -> None:
    drawn = bars({"encode": encode, "search": search, "total": encode + search + rest}, mode)
    widths = [float(found) for found in re.findall(r"width:([\d.]+)%", drawn)]
    values = [float(found) for found in re.findall(r">([\d.]+) ms</span>", drawn)]
    assert values == pytest.approx([encode, search, rest], abs=0.006, rel=1e-6)
    longest = max(encode, search, rest)
    expected = [100 * part / longest if longest else 0 for part in (encode, search, rest)]
    assert widths == pytest.approx(expected, abs=0.06)
    assert f"Answered in {encode + search + rest:.1f} ms" in drawn


def test_a_clock_that_was_set_back_leaves_no_bar_below_nothing() -> None:
    drawn = bars({"encode": 0.2, "search": 2.0, "total": 2.1}, "light")
    assert "width:0.0%" in drawn
    assert "-" not in "".join(re.findall(r"width:[^%]*%", drawn))
