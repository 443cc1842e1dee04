"""What an index loses, for every input – equal vectors, targets outside – against its definition in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.index_loss import RevealedSessions, SearchSetting, means
from pipeline.metrics.ranking import MISS
from pipeline.search.libraries.faiss import FaissEngine


def _made(seed: int, items: int, count: int) -> RevealedSessions:
    """Make vectors of few whole numbers, so that many products are equal and all are exact."""
    random = np.random.default_rng(seed)
    vectors, queries = (random.integers(-2, 3, (n, 3)).astype(np.float32) for n in (items, count))
    return RevealedSessions(vectors, queries, random.integers(-1, items, count))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 12))
def test_exact_ranks_share_the_places_of_equal_scores(seed: int, items: int, count: int) -> None:
    sessions = _made(seed, items, count)
    scores = sessions.queries.astype(np.float64) @ sessions.vectors.T.astype(np.float64)
    expected = [
        MISS if target < 0 else (row > row[target]).sum() + ((row == row[target]).sum() + 1) / 2
        for row, target in zip(scores, sessions.targets, strict=True)
    ]
    assert sessions.exact_ranks().tolist() == expected


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 12), st.integers(0, 5))
def test_ranks_through_an_index_are_places_in_its_answer(seed: int, items: int, count: int, offset: int) -> None:
    sessions, keys, engine = _made(seed, items, count), np.arange(items) * 2 + offset, FaissEngine()
    engine.create("all", 3, "IP")
    engine.insert("all", keys, sessions.vectors, {})
    engine.build("all", "FLAT", {}, "IP")
    engine.load("all")
    found = sessions.found(SearchSetting(engine, "all", {}, keys))
    assert found.shape == (count, min(20, items))
    expected = [
        row.index(keys[target]) + 1 if target >= 0 and keys[target] in row else MISS
        for row, target in zip(found.tolist(), sessions.targets.tolist(), strict=True)
    ]
    ranks = sessions.ranks_in(found, keys)
    assert ranks.tolist() == expected
    figures = means(ranks)
    assert figures["recall@20"] == pytest.approx(np.mean(np.array(expected) <= 20), abs=1e-6)
    assert figures["mrr@20"] == pytest.approx(np.mean([1 / r if r <= 20 else 0 for r in expected]), abs=1e-6)
