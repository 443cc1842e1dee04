"""The published scenarios are drawn as published, from any source; peers' files are read back as the peers do."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.parquet import ParquetFile

from pipeline.bench.data import sources
from pipeline.bench.data.files import write_scenario
from pipeline.bench.data.scenarios import Scenario, ScenarioConfig, prepare_scenario
from pipeline.bench.data.truth import truth
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.errors import UserError
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import vectors_stage, write_vectors
from tests.made.road import Nothing

ITEMS, SESSIONS, DIM = 3000, 2500, 8


@pytest.fixture
def embedded(workspace: Workspace) -> Workspace:
    """Write vectors that tell where they stood: the first number is the row, the second 1 for sessions."""

    def body(folder: Path, report: Any) -> dict[str, int]:
        for kind, (entity, rows) in enumerate((("items", ITEMS), ("sessions", SESSIONS))):
            vectors = np.full((rows, DIM), kind, np.float32)
            vectors[:, 0] = np.arange(rows)
            write_vectors(folder / f"{entity}.parquet", pl.Series(range(rows)), vectors)
        return {}

    run_stage(workspace, vectors_stage(DEFAULT_MODEL), Nothing(), body)
    return workspace


@pytest.mark.parametrize(
    ("name", "rows", "population", "kinds"),
    [("item-item", 1500, 1500, (0, 0)), ("user-user", 2125, 375, (1, 1)), ("user-item", 3000, 2500, (0, 1))],
)
def test_scenarios_are_split_as_published(
    embedded: Workspace, name: str, rows: int, population: int, kinds: tuple[int, int]
) -> None:
    found = prepare_scenario(embedded, ScenarioConfig(scenario=name))
    assert (len(found.vectors), len(found.queries), found.population) == (rows, population, population)
    assert ({*found.vectors[:, 1]}, {*found.queries[:, 1]}) == ({kinds[0]}, {kinds[1]})
    assert len({*found.vectors[:, 0]}) == rows, "each once"
    if kinds[0] == kinds[1]:
        assert not {*found.vectors[:, 0]} & {*found.queries[:, 0]}
    assert found.metric == "IP"
    assert isinstance(found.vectors, np.memmap)
    stage = vectors_stage(DEFAULT_MODEL)
    assert found.inputs == {stage: (embedded.manifest(stage) or {})["key"]}


def test_samples_are_drawn_with_the_seed(embedded: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BLOCK", 700)  # blocks that do not divide the rows
    few = {"rows": 1100, "queries": 50, "metric": "L2"}
    one = prepare_scenario(embedded, ScenarioConfig(scenario="user-item", **few))  # type: ignore[arg-type]
    assert (len(one.vectors), len(one.queries), one.population, one.metric) == (1100, 50, 2500, "L2")
    before = np.array(one.queries)
    assert (prepare_scenario(embedded, ScenarioConfig(scenario="user-item", **few)).queries == before).all()  # type: ignore[arg-type]
    other = prepare_scenario(embedded, ScenarioConfig(scenario="user-item", **few, seed=1))  # type: ignore[arg-type]
    assert {*other.queries[:, 0]} != {*before[:, 0]}


def test_made_up_vectors_of_any_size_are_the_same_each_time(workspace: Workspace) -> None:
    config = ScenarioConfig(scenario="user-item", model="synthetic:2000,70_000,16", queries=100)
    found = prepare_scenario(workspace, config)
    assert (found.vectors.shape, found.queries.shape, found.population) == ((2000, 16), (100, 16), 70_000)
    before = np.array(found.vectors)
    workspace.remove(config.stage)
    assert (prepare_scenario(workspace, config).vectors == before).all()
    near = np.sort(found.queries @ found.vectors.T, axis=1)
    assert near[:, -1].mean() > 3 * near[:, -200].mean(), "a session has items that are nearer than others"


def test_few_vectors_are_refused_with_the_way_out(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"would index 750 items of 'synthetic:1500'.*--scenario user-user"):
        prepare_scenario(workspace, ScenarioConfig(scenario="item-item", model="synthetic:1500"))


@pytest.mark.parametrize("form", ["npy", "parquet", "hdf5"])
def test_vectors_of_ones_own(workspace: Workspace, tmp_path: Path, form: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(1500, 6)).astype(np.float32)
    path = tmp_path / f"mine.{form}"
    if form == "npy":
        np.save(path, vectors)
    elif form == "parquet":
        write_vectors(path, pl.Series(range(1500)), vectors)
    else:
        with h5py.File(path, "w") as file:
            file.attrs["distance"] = "angular"
            file["train"], file["test"] = vectors, vectors[:40] * 2
    found = prepare_scenario(workspace, ScenarioConfig(scenario="own", file=str(path)))
    assert found.metric == ("COSINE" if form == "hdf5" else "IP")
    if form == "hdf5":
        assert (found.vectors == vectors).all()
        assert (found.queries == vectors[:40] * 2).all()
    else:
        assert (len(found.vectors), len(found.queries)) == (1350, 150)
        np.save(tmp_path / "asked.npy", vectors[:33])
        both = ScenarioConfig(scenario="own", file=str(path), query_file=str(tmp_path / "asked.npy"))
        assert (prepare_scenario(workspace, both).queries == vectors[:33]).all()


def test_what_cannot_be_compared_is_refused_in_every_source(embedded: Workspace, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(1500, 6)).astype(np.float32)
    vectors[[3, 700]] = 0
    np.save(tmp_path / "mine.npy", vectors)
    own: dict[str, Any] = {"scenario": "own", "file": str(tmp_path / "mine.npy")}
    with pytest.raises(UserError, match=r"mine.npy: 2 of 1,500 vectors are all zeros \(row 4, row 701\)"):
        prepare_scenario(embedded, ScenarioConfig(**own, metric="COSINE"))
    prepare_scenario(embedded, ScenarioConfig(**own, metric="L2"))
    with pytest.raises(UserError, match=r"The scenario's vectors: 1 of 3,000 vectors is all zeros \(row 1\)"):
        prepare_scenario(embedded, ScenarioConfig(scenario="user-item", metric="COSINE"))
    vectors[5, 0] = np.nan
    np.save(tmp_path / "mine.npy", vectors)
    with pytest.raises(UserError, match="mine.npy: row 6 holds nan"):
        prepare_scenario(embedded, ScenarioConfig(**own, metric="IP"))
    with h5py.File(tmp_path / "bits.hdf5", "w") as file:
        file.attrs["distance"] = "hamming"
        file["train"] = np.ones((1500, 8), np.float32)
    with pytest.raises(UserError, match="compares by 'hamming'"):
        prepare_scenario(embedded, ScenarioConfig(scenario="own", file=str(tmp_path / "bits.hdf5")))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"scenario": "item-itme"}, "Did you mean item-item"),
        ({"scenario": "own"}, "--scenario own with --file"),
        ({"scenario": "own", "file": "/nowhere.npy"}, "There is no file /nowhere.npy"),
        ({"metric": "L3"}, "no metric 'L3'"),
        ({"queries": 0}, "out of range"),
        ({"model": "synthetic:many"}, "is no size: write synthetic:ITEMS"),
        ({"model": "synthetic:9,9,99999"}, "99,999 dimensions"),
        ({"model": "nothing"}, "vectors import FILE --name nothing"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(workspace: Workspace, config: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        prepare_scenario(workspace, ScenarioConfig(**config))


def test_ann_benchmarks_reads_our_file(workspace: Workspace, tmp_path: Path) -> None:
    """As its runner does: attributes, `train`, `test`, and the distance of the `count`-th neighbour to compare with."""
    drawn = prepare_scenario(
        workspace, ScenarioConfig(scenario="item-item", model="synthetic:3000,2,8", metric="L2", queries=30)
    )
    neighbours = truth(workspace, drawn.vectors, drawn.queries, 100, "L2")
    [path] = write_scenario(drawn, neighbours, "hdf5", tmp_path / "ours.hdf5")
    with h5py.File(path, "r") as file:
        dimension = int(file.attrs["dimension"]) if "dimension" in file.attrs else len(file["train"][0])
        assert (dimension, file.attrs["distance"], file.attrs.get("point_type", "float")) == (8, "euclidean", "float")
        train, test = np.array(file["train"]), np.array(file["test"])
        assert train.dtype == np.float32
        for row, (near, far) in enumerate(zip(file["neighbors"], file["distances"], strict=True)):
            measured = np.linalg.norm(train[near] - test[row], axis=1)
            assert np.allclose(measured, far, atol=1e-4)
            assert (np.diff(far) >= -1e-5).all()
            threshold = far[99] + 1e-3  # its recall counts what is no farther than the count-th true neighbour
            assert (np.linalg.norm(train - test[row], axis=1) <= threshold).sum() >= 100
    ip = prepare_scenario(workspace, ScenarioConfig(scenario="item-item", model="synthetic:3000,2,8", queries=30))
    with pytest.raises(UserError, match="add --metric L2"):
        write_scenario(ip, neighbours, "hdf5", tmp_path / "x.hdf5")


def test_vectordbbench_reads_our_custom_data_set(workspace: Workspace, tmp_path: Path) -> None:
    """As its DatasetManager does: batches of train.parquet as pandas; test and neighbors by Polars, columns by name."""
    drawn = prepare_scenario(workspace, ScenarioConfig(scenario="item-item", model="synthetic:3000,2,8", queries=30))
    neighbours = truth(workspace, drawn.vectors, drawn.queries, 100, "IP")
    write_scenario(drawn, neighbours, "vectordbbench", tmp_path / "ours")
    batches = ParquetFile(tmp_path / "ours/train.parquet", memory_map=True, pre_buffer=True).iter_batches(100)
    frames = [batch.to_pandas() for batch in batches]
    train = pd.concat(frames)
    assert train["id"].tolist() == list(range(1500))
    assert np.allclose(np.stack(train["emb"]), drawn.vectors)
    test = pl.read_parquet(tmp_path / "ours/test.parquet")["emb"].to_list()
    truth_ids = pl.read_parquet(tmp_path / "ours/neighbors.parquet")["neighbors_id"].to_list()
    assert np.allclose(test, drawn.queries)
    assert truth_ids == neighbours.tolist()


@given(st.lists(st.text(max_size=5), min_size=1, max_size=20, unique=True), st.data())
@settings(max_examples=50, deadline=None)
def test_text_keys_are_found_again_as_rows(keys: list[str], data: st.DataObject) -> None:
    scenario = Scenario(
        "x", np.empty((0, 2), np.float32), np.empty((0, 2), np.float32), 1, "IP", np.array(keys, object)
    )
    drawn = data.draw(st.lists(st.sampled_from([*keys, None, "another one"]), min_size=1, max_size=8))
    rows = scenario.rows_of(np.array([drawn], object))
    assert rows.tolist() == [[keys.index(key) if key in keys else -1 for key in drawn]]
