"""Intervals are as wide as theory says, sessions are drawn whole, and two models are drawn alike."""

import numpy as np
import pytest

from pipeline.metrics.bootstrap import interval, resample

HITS = (np.random.default_rng(0).random((900, 1)) < 0.3).astype(np.float32)


def test_the_interval_of_a_share_is_the_normal_one() -> None:
    low, high = interval(resample(HITS, np.arange(900))[:, 0])
    mean = float(HITS.mean())
    assert low < mean < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(mean * (1 - mean) / 900), rel=0.1)


def test_ten_equal_examples_of_a_session_tell_no_more_than_one() -> None:
    once = resample(HITS, np.arange(900))
    assert np.allclose(resample(np.repeat(HITS, 10, axis=0), np.repeat(np.arange(900), 10)), once)


def test_a_difference_of_two_models_is_paired() -> None:
    random = np.random.default_rng(1)
    sessions = np.sort(random.integers(0, 200, 900))
    other = random.random((900, 1))
    apart = resample(HITS, sessions) - resample(other, sessions)
    assert np.allclose(apart, resample(HITS - other, sessions))
    assert np.std(resample(HITS, sessions) - resample(HITS, sessions)) == 0


def test_a_session_counts_by_its_examples() -> None:
    values, sessions = np.array([[1.0], [0.0], [0.0], [0.0]]), np.array([0, 1, 1, 1])
    assert set(resample(values, sessions)[:, 0].tolist()) == {0.0, 0.25, 1.0}  # 0 0 0 0 0 0, 1 0 0 0, 1 1


def test_many_sessions_are_drawn_block_by_block_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resample(HITS, np.arange(900), 50)
    monkeypatch.setattr("pipeline.metrics.bootstrap._HELD", 2000)
    assert np.array_equal(resample(HITS, np.arange(900), 50), whole)
