"""Numbers and times as a person reads them."""

import pytest

from pipeline.core.text import age, did_you_mean, duration, number, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0032, "3.2 ms"), (4.06, "4.1 s"), (42, "42 s"), (125, "2 min 5 s"), (120, "2 min"), (3780, "1 h 3 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "just now"), (130, "2 min ago"), (7300, "2 h ago"), (90_000, "1 day ago"), (200_000, "2 days ago")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(812, "812 B"), (1_234_000, "1.23 MB"), (999_600, "1 MB"), (5e12, "5 TB")])
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("value", "text"), [(165474, "165,474"), (0.52814, "0.528"), (1234.5, "1,234"), (3.0, "3")])
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_did_you_mean_names_the_closest() -> None:
    assert did_you_mean("HNWS", ["HNSW", "FLAT"]) == " Did you mean HNSW?"
    assert did_you_mean("zzz", ["HNSW", "FLAT"]) == ""
