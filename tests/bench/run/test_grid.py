"""A benchmark's configuration is read once; what travels on from a grid holds, whatever values were given."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import hypothesis
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.benchmark.job import AskedVectors, Chosen
from pipeline.bench.data.scenarios import ScenarioConfig, prepare_scenario
from pipeline.bench.data.sources import Sizes, read_model
from pipeline.bench.run.grid import IndexGrid, build_of, parse_grid, read_grid, search_of
from pipeline.bench.run.plan import SweepConfig, plan
from pipeline.bench.run.presets import PRESETS
from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.search.catalogue import CATALOGUE, index_type
from pipeline.search.params import Param, Value, format_params, parse_params, validate_build, validate_search
from pipeline.store.workspace import Workspace
from pipeline.vectors.files import read_arrays
from pipeline.vectors.imported import read_vectors
from tests.bench.conftest import Served
from tests.calls import counted

READ = (read_grid, parse_grid, index_type, read_model, parse_params, validate_build, validate_search)
VECTORS = ("--scenario", "user-item", "--model", "synthetic:3000,400,16")
LOAD = ("--nq", "10", "--concurrency", "1", "--top-k", "10", "--seconds", "0.1")
GRID = ("--index", "IVF_FLAT", "--build", "nlist=16,32", "--search", "nprobe=2,4")


def _bench(root: Path, *arguments: str) -> dict[str, Any]:
    ended = CliRunner().invoke(app, ["bench", *arguments, "--workspace", str(root), "--json"])
    assert ended.exit_code == 0, ended.output
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def _once(grids: int, builds: int, searches: int) -> Counter[str]:
    """Give how often what is read of a configuration is read: each text of a grid, each build and each search once."""
    read = {"read_grid": grids, "parse_grid": 2 * grids, "index_type": grids, "read_model": 1}
    return Counter(read | {"validate_build": builds, "validate_search": searches})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_reads_its_configuration_once(workspace: Workspace, preset: str) -> None:
    index, model = PRESETS[preset].indexes, "synthetic:6000,2000,64"
    options = ("--scenario", "user-item", "--model", model, "--preset", preset, "--nq", "1", "--dry-run")
    with counted(*READ) as calls:
        answer = _bench(workspace.root, *options)
    builds, searches = [_many(grid.build) for grid in index], [_many(grid.search) for grid in index]
    assert calls == _once(len(index), sum(builds), sum(b * s for b, s in zip(builds, searches, strict=True)))
    assert answer["plan"]["points"] > 0


def _many(text: str) -> int:
    return math.prod(len(values) for values in parse_grid(text).values())


def test_the_form_reads_what_it_says_once() -> None:
    grids = (IndexGrid("HNSW", "M=8,16", "ef=100,200"), IndexGrid("FLAT"))
    chosen = Chosen(AskedVectors(5000, 64, 5000, "item-item", "m"), "quick", grids)
    with counted(*READ) as calls:
        found = chosen.planned()
    assert calls == _once(2, 3, 5)
    assert len({(point.build, point.search) for point in found.points}) == 5


@pytest.mark.milvus
def test_measuring_reads_nothing_of_what_was_read(served: Served) -> None:
    root = served.workspace.root
    with counted(*READ) as calls:
        answer = _bench(root, *VECTORS, *GRID, *LOAD)
    assert [row["error"] for row in answer["rows"]] == [None] * 4
    assert calls == _once(1, 2, 4)
    assert answer["config"]["indexes"] == [{"index": "IVF_FLAT", "build": "nlist=16,32", "search": "nprobe=2,4"}]


@pytest.mark.milvus
def test_a_tuning_reads_its_grid_once_and_checks_each_trial_once(served: Served) -> None:
    with counted(*READ, build_of, search_of) as calls:
        answer = _bench(served.workspace.root, "tune", *VECTORS, *GRID, *LOAD, "--recall", "0.9", "--trials", "3")
    assert answer["trials"] == 3
    tried = calls["search_of"] - 4  # beside those that were planned; a setting that comes up again is no trial
    assert tried >= 3
    assert calls == _once(1, 2 + tried, 4 + tried) | {"build_of": 2 + tried, "search_of": 4 + tried}


@pytest.mark.parametrize("own_queries", [True, False], ids=["its queries", "another file's"])
def test_a_file_is_opened_once(workspace: Workspace, tmp_path: Path, own_queries: bool) -> None:
    vectors = np.random.default_rng(0).normal(size=(1500, 6)).astype(np.float32)
    with h5py.File(tmp_path / "mine.hdf5", "w") as file:
        file.attrs["distance"] = "angular"
        file["train"], file["test"] = vectors, vectors[:40] * 2
    np.save(tmp_path / "asked.npy", vectors[:30])
    other = "" if own_queries else str(tmp_path / "asked.npy")
    with counted(read_vectors, read_arrays) as calls:
        found = prepare_scenario(
            workspace, ScenarioConfig(scenario="own", file=str(tmp_path / "mine.hdf5"), query_file=other)
        )
    files = 1 if own_queries else 2
    assert calls == {"read_vectors": files, "read_arrays": files}
    assert (found.metric, len(found.queries)) == ("COSINE", 40 if own_queries else 30)


def test_a_damaged_file_of_vectors_is_a_sentence(workspace: Workspace, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mine.hdf5", "w") as file:
        file["train"] = np.ones((1500, 6), np.float32)
    whole = (tmp_path / "mine.hdf5").read_bytes()
    (tmp_path / "mine.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"mine.hdf5 (cannot be read|is damaged)"):
        prepare_scenario(workspace, ScenarioConfig(scenario="own", file=str(tmp_path / "mine.hdf5")))


def _values(param: Param) -> st.SearchStrategy[Value]:
    """Draw what may be written for a parameter, some of it out of its range."""
    if param.kind == "bool":
        return st.booleans()
    if param.kind == "choice":
        return st.sampled_from([*param.choices, "other"])
    near = st.integers(int(param.low) - 1, min(int(param.high), 600) + 1)
    return (
        near
        | st.just(int(param.high) + 1)
        | (st.floats(1, 4).map(lambda x: round(x, 2)) if param.kind == "float" else near)
    )


def _text(params: tuple[Param, ...], data: st.DataObject) -> str:
    chosen = [param for param in params if data.draw(st.booleans())]
    lists = {param.name: data.draw(st.lists(_values(param), min_size=1, max_size=3)) for param in chosen}
    return ",".join(
        ",".join([format_params({name: first}), *map(_written, rest)]) for name, (first, *rest) in lists.items()
    )


def _written(value: Value) -> str:
    return format_params({"x": value}).removeprefix("x=")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(CATALOGUE)), st.integers(2, 5000), st.integers(1, 96), st.integers(1, 200), st.data())
def test_what_a_grid_gives_holds_for_its_vectors(
    name: str, rows: int, dim: int, top_k: int, data: st.DataObject
) -> None:
    """Every build and search is complete and valid as it is, no two are the same, and the text reads back to them."""
    entry = CATALOGUE[name]
    assume(top_k <= rows)
    grid = read_grid(IndexGrid(name.lower(), _text(entry.build, data), _text(entry.search, data)))
    assert grid.index is entry
    assert grid.written.index == name
    assert read_grid(grid.written) == grid
    try:
        builds = grid.builds(dim, rows, [])
        searches = {build: grid.searches(build, top_k, []) for build in builds}
    except UserError:
        with pytest.raises(UserError):
            plan(SweepConfig(indexes=(grid,), nq=(1,), top_k=(top_k,)), rows, dim, 1)
        return
    assert len(searches) == len(builds)
    hypothesis.event("holds")
    for build, found in searches.items():
        assert validate_build(entry, build.values, dim, rows) == build.values
        assert len(set(found)) == len(found)
        for search in found:
            assert validate_search(entry, build.values, dict(search), top_k) == dict(search)


@given(st.integers(2, 10**8), st.integers(2, 10**8), st.integers(2, 32_768))
def test_sizes_of_made_up_vectors_are_read_as_written(items: int, sessions: int, dim: int) -> None:
    assert read_model(f"synthetic:{items:_},{sessions},{dim}") == Sizes(items, sessions, dim)
    assert read_model(f"synthetic:{items},{sessions}") == Sizes(items, sessions, 64)
    assert ScenarioConfig(scenario="user-item", model=f"synthetic:{items}").vectors == Sizes(items, items, 64)
    assert read_model("two_tower") == "two_tower"
