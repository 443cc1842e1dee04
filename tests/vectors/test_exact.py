"""The exact neighbours are those that sorting every distance gives."""

import numpy as np

from pipeline.vectors import exact


def test_neighbours_are_those_of_brute_force(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(exact, "_BLOCK_BYTES", 4 * 300 * 17)  # blocks that do not divide the rows
    vectors = np.random.default_rng(5).normal(size=(300, 8)).astype(np.float32)
    rows, distances = exact.neighbors(vectors, 12)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.argsort(-(unit @ unit.T), axis=1)[:, :12]
    assert (np.sort(rows, axis=1) == np.sort(expected, axis=1)).all()
    assert (rows[:, 0] == np.arange(300)).all()
    assert (np.diff(distances, axis=1) >= 0).all()
