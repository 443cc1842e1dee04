"""What recommendations lose through an index: nothing where it is exact, most where it hardly looks."""

import numpy as np
import polars as pl
import pytest

from pipeline.bench import quality
from pipeline.bench.analysis.settings import gather, summarise
from pipeline.bench.runs import Recorder, packed
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.errors import UserError
from pipeline.evaluation.index_loss import RevealedSessions
from pipeline.search.libraries.faiss import FaissEngine
from pipeline.store.workspace import Workspace
from tests.made.points import point
from tests.made.road import make_road


def _asked(rows: int = 3000) -> RevealedSessions:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(rows, 16)).astype(np.float32)
    queries = rng.normal(size=(400, 16)).astype(np.float32)
    nearest = np.argsort(-(queries @ vectors.T), axis=1)[:, :25]
    targets = nearest[np.arange(400), rng.integers(0, 25, 400)]  # some among the 20, some just below
    return RevealedSessions(vectors, queries, targets)


def _settings(*rows: tuple[str, dict[str, int], dict[str, int]]) -> pl.DataFrame:
    packed_rows = [(index, packed(build), packed(search)) for index, build, search in rows]
    return pl.DataFrame(packed_rows, schema=list(quality.ON), orient="row")


def test_exact_loses_nothing_and_a_hasty_index_does() -> None:
    probes = [("IVF_FLAT", {"nlist": 64}, {"nprobe": n}) for n in (1, 64)]
    settings = _settings(("FLAT", {}, {}), *probes)
    flat, hasty, thorough = quality.measure_quality(FaissEngine(), "", _asked(), settings)
    one = pytest.approx(flat["exact_recall"], abs=1.1 / 400)  # query at the edge, where two libraries round differently
    assert flat["next_recall"] == one
    assert flat["exact_recall"] == pytest.approx(0.8, abs=0.06)
    assert flat["next_mrr"] == pytest.approx(flat["exact_mrr"], abs=1.1 / 400)
    assert hasty["next_recall"] < 0.5 * flat["next_recall"]
    assert thorough["next_recall"] == one
    assert FaissEngine().collections() == []


def test_a_build_that_does_not_hold_for_these_vectors_is_left_out() -> None:
    settings = _settings(("IVF_FLAT", {"nlist": 9999}, {"nprobe": 1}), ("HNSW", {"M": 8}, {"ef": 5}))
    (row,) = quality.measure_quality(FaissEngine(), "", _asked(1500), settings)
    assert (row["index"], row["search"]) == ("HNSW", '{"ef": 5}')  # searched with the ef that 20 neighbours need


def test_it_is_kept_with_the_run_and_told_beside_its_settings(workspace: Workspace) -> None:
    with Recorder(workspace, "one") as run:
        run.begin({}, {"cores": 2}, {}, 0, 2)
        run.add(point(0.9, 100, {"M": 8}, {"ef": 100}))
        run.add(point(0.95, 50, {"M": 8}, {"ef": 200}))
    settings = summarise(gather(workspace, ["one"]))
    assert quality.with_quality(workspace, settings)["next_recall"].to_list() == [None, None]
    figures = dict(zip(quality.FIGURES, (0.52, 0.2, 0.53, 0.21), strict=True))
    quality.write_quality(
        workspace, "one", [{"index": "HNSW", "build": packed({"M": 8}), "search": packed({"ef": 100})} | figures]
    )
    first, second = quality.with_quality(workspace, settings).sort("recall").iter_rows(named=True)
    assert quality.told(first) == (
        "With this setting, 52.0 % of next clicks are among 20 suggestions, 53.0 % with exact search; "
        "MRR@20 0.200, 0.210 with exact search."
    )
    assert quality.told(second) == ""


def test_a_small_catalogue_is_refused_with_the_reason(workspace: Workspace) -> None:
    make_road(workspace, items=300)
    with pytest.raises(UserError, match=f"{DEFAULT_MODEL} has 300 items, and Milvus builds no index under about 1,024"):
        quality.asked_of(workspace, DEFAULT_MODEL)
    make_road(workspace, items=1500)
    asked = quality.asked_of(workspace, DEFAULT_MODEL)
    assert (len(asked.vectors), asked.queries.shape[1]) == (1500, asked.vectors.shape[1])
    assert len(asked.queries) == len(asked.targets) > 0
