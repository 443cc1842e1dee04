"""Vectors of sessions are written some at a time, the same however many that is."""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.session.encoder import SessionEncoder
from pipeline.sessions import preprocess
from pipeline.sessions.histories import whole_sessions
from pipeline.store.workspace import Workspace
from pipeline.training.train import load_encoder
from pipeline.vectors.embed import count_vectors, embed, load_rows, load_vectors
from tests.made.road import make_road


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.open(tmp_path_factory.mktemp("road") / "ws")
    make_road(workspace, items=50, sessions=60)
    return workspace


@pytest.mark.parametrize("held", [1, 37, 2_000_000])
def test_they_are_those_of_all_sessions_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    make_road(workspace, items=50, sessions=60)
    workspace.stage("vectors/session").unlink()
    monkeypatch.setattr(preprocess, "part_slices", partial(preprocess.part_slices, clicks=held))
    told: list[float] = []
    done = embed(workspace, "session", lambda done, total, *_: told.append(done / total))
    clicks = pl.concat([preprocess.load_part(workspace, part) for part in preprocess.PARTS])
    ids, histories = whole_sessions(clicks)
    encoder = load_encoder(workspace, "session")[0]
    assert isinstance(encoder, SessionEncoder)
    found, vectors = load_vectors(workspace, "session", "sessions")
    assert found.equals(ids)
    assert done.manifest["metrics"]["sessions"] == len(ids)
    assert vectors == pytest.approx(encoder.encode(histories), abs=1e-6)
    assert told == sorted(told)


@given(st.lists(st.integers(0, 59), max_size=80))
@settings(deadline=None, max_examples=30)
def test_some_rows_are_those_of_all(road: Workspace, rows: list[int]) -> None:
    ids, vectors = load_vectors(road, "session", "sessions")
    some, theirs = load_rows(road, "session", "sessions", np.array(rows, np.int64))
    assert some.to_list() == [ids[row] for row in rows]
    assert np.array_equal(theirs, vectors[rows])
    assert count_vectors(road, "session", "sessions") == len(ids)
