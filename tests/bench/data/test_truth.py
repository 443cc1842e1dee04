"""Exact neighbours are those of FAISS's flat index, are computed once, and a sample of queries tells how sure it is."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.bench.data import truth as module
from pipeline.bench.data.truth import recall_with_interval, truth
from pipeline.search.measure import shares
from pipeline.store.workspace import Workspace


@pytest.mark.parametrize("metric", ["IP", "L2", "COSINE"])
def test_they_are_those_of_a_flat_index(workspace: Workspace, tmp_path: Path, metric: str) -> None:
    import faiss

    random = np.random.default_rng(0)
    vectors, queries = (random.normal(size=(n, 12)).astype(np.float32) for n in (20_000, 70))
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    found = truth(workspace, mapped, queries, 30, metric)
    if metric == "COSINE":
        vectors, queries = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (vectors, queries))
    index = faiss.IndexFlat(12, faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT)
    index.add(vectors)
    theirs = index.search(queries, 30)[1]
    assert (np.sort(found, axis=1) == np.sort(theirs, axis=1)).mean() > 0.999  # rounding orders the very last
    assert shares(vectors, queries, theirs, found, "L2" if metric == "L2" else "IP").tolist() == [1.0] * 70


def test_they_are_computed_once_for_the_same_content(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    first = truth(workspace, vectors, vectors[:9], 20, "L2")

    def fail(*arguments: object) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patched:
        patched.setattr(module, "nearest", fail)
        assert (truth(workspace, vectors.copy(), vectors[:9], 20, "L2") == first).all()
        assert (truth(workspace, vectors, vectors[:9], 5, "L2") == first[:, :5]).all()
        for other in (
            (vectors, vectors[:9], 20, "IP"),
            (vectors, vectors[:8], 20, "L2"),
            (vectors + 1, vectors[:9], 20, "L2"),
        ):
            with pytest.raises(AssertionError, match="computed again"):
                truth(workspace, *other)
    assert truth(workspace, vectors, vectors[:9], 700, "L2").shape == (9, 500)


def test_an_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(4)
    everything = random.beta(8, 1, 20_000).astype(np.float32)
    inside = 0
    for _ in range(200):
        mean, low, high = recall_with_interval(random.choice(everything, 400, replace=False), len(everything))
        inside += low <= everything.mean() <= high
        assert low < mean < high
    assert 178 <= inside <= 199
    assert len(set(recall_with_interval(everything, 20_000))) == 1
    assert recall_with_interval(np.ones(10, np.float32), 100) == (1.0, 1.0, 1.0)
