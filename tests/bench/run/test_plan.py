"""A grid is what the option says, points that behave alike are one, and what cannot be is told before anything runs."""

import json
from typing import Any

import polars as pl
import pytest

from pipeline.bench import published
from pipeline.bench.data.scenarios import ScenarioConfig
from pipeline.bench.run.grid import IndexGrid, parse_grid, read_grid
from pipeline.bench.run.options import from_json, sweep_config
from pipeline.bench.run.plan import SweepConfig, as_json, keyed, plan
from pipeline.bench.run.presets import PRESETS
from pipeline.core.errors import UserError


def _config(index: str = "HNSW", build: str = "", search: str = "", **more: Any) -> SweepConfig:
    return SweepConfig(indexes=(read_grid(IndexGrid(index, build, search)),)).replace(**more)


def test_a_value_without_a_name_is_one_more_of_the_name_before_it() -> None:
    assert parse_grid("M=16,efConstruction=500") == {"M": (16,), "efConstruction": (500,)}
    assert parse_grid(" ef = 100, 200 ,M=8,16,8 ") == {"ef": (100, 200), "M": (8, 16)}
    assert parse_grid("with_raw_data=true,false") == {"with_raw_data": (True, False)}
    assert parse_grid("") == {}
    for wrong in ("100", "=3", "ef="):
        with pytest.raises(UserError, match="is not a parameter"):
            parse_grid(wrong)


def test_the_grid_is_a_product_and_builds_stay_together() -> None:
    config = _config("HNSW", "M=8,16,efConstruction=100", "ef=100,200", nq=(1, 10), concurrency=(1, 4), repeats=3)
    made = plan(config, 5000, 16, 1000)
    assert len(made.points) == 2 * 2 * 2 * 2 * 3
    assert [b.values["M"] for b in made.builds] == [8, 16]
    order = [point.build.values["M"] for point in made.points]
    assert order == sorted(order, key=int)
    assert len({keyed(point.row) for point in made.points}) == len(made.points)
    assert made.seconds > 48 * 5
    assert made.notes == []


def test_ef_below_top_k_is_one_point_and_is_said_to() -> None:
    made = plan(_config("HNSW", "", "ef=10,50,100,200", nq=(1,), concurrency=(1,)), 5000, 16, 1000)
    assert [dict(point.search)["ef"] for point in made.points] == [100, 200]
    assert made.notes == [
        "HNSW: ef 10 behaves as ef 100, as it is at least top_k: one point in place of two.",
        "HNSW: ef 50 behaves as ef 100, as it is at least top_k: one point in place of two.",
    ]


def test_nprobe_over_nlist_is_nlist_of_the_build_that_it_is_over() -> None:
    made = plan(_config("IVF_FLAT", "nlist=16,64", "nprobe=8,32", nq=(1,), concurrency=(1,)), 5000, 16, 1000)
    found = [(p.build.values["nlist"], dict(p.search)["nprobe"]) for p in made.points]
    assert found == [(16, 8), (16, 16), (64, 8), (64, 32)]
    assert len(made.notes) == 1


def test_an_nq_that_nobody_chose_fits_the_queries() -> None:
    usual = sweep_config(ScenarioConfig(), indexes=["FLAT"])
    made = plan(usual, 5000, 16, 300)
    assert {point.nq for point in made.points} == {1, 300}
    assert made.notes == ["nq 1,000 is asked as nq 300: the scenario has no more queries."]
    assert {point.nq for point in plan(usual, 5000, 16, 1000).points} == {1, 1000}
    assert {p.nq for p in plan(sweep_config(ScenarioConfig(), preset="published"), 5000, 64, 20).points} == {20}
    with pytest.raises(UserError, match="nq 1,000 is over the 300 queries"):
        plan(sweep_config(ScenarioConfig(), indexes=["FLAT"], nq="1,1000"), 5000, 16, 300)


def test_a_run_of_an_older_version_is_read_with_defaults() -> None:
    kept = as_json(_config("HNSW", "M=8", nq=(1, 2)))
    del kept["nq_fits"]
    assert from_json(kept) == _config("HNSW", "M=8", nq=(1, 2))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"top_k": (6000,)}, "top_k 6,000 is over the 5,000 vectors"),
        ({"nq": (1001,)}, "nq 1,001 is over the 1,000 queries"),
        ({"index": "HNWS"}, "Did you mean HNSW"),
        ({"build": "m=8"}, "HNSW has no parameter 'm'"),
        ({"search": "ef=0"}, "ef 0 is out of range"),
        ({"search": "ef=x"}, "ef 'x' is not a whole number"),
        ({"index": "IVF_PQ", "build": "m=5"}, "m 5 does not divide"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(config: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        plan(_config(**config), 5000, 16, 1000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nq": (0,)},
        {"nq": ()},
        {"concurrency": (0,)},
        {"seconds": 0},
        {"repeats": 0},
        {"clients": ("curl",)},
        {"rates": (-1,)},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        _config(**wrong)


def test_presets_take_what_they_say_and_the_published_one_is_what_was_published() -> None:
    for name, most in (("quick", 75), ("workshop", 330)):
        preset = PRESETS[name]
        grids = tuple(map(read_grid, preset.indexes))
        config = SweepConfig(indexes=grids, nq=preset.nq, concurrency=preset.concurrency, seconds=preset.seconds)
        assert plan(config, 24_500, 64, 10_000).seconds < most
    ours = {grid.index: parse_grid(grid.build) | parse_grid(grid.search) for grid in PRESETS["published"].indexes}
    theirs = published.results().filter(pl.col("device") == "cpu", pl.col("scenario") == "item-item")
    for index, grid in ours.items():
        rows = theirs.filter(pl.col("index") == index)
        assert set(grid["ef" if index == "HNSW" else "nprobe"]) == set(rows["search_value"])
        for name in set(grid) - {"ef", "nprobe"}:
            assert set(grid[name]) == {int(value) for value in rows[name]}, name


def test_a_config_reads_back_equal_from_json() -> None:
    config = as_json(_config("HNSW", "M=8", nq=(1, 2)))
    assert json.loads(json.dumps(config)) == config
    assert config["indexes"][0] == {"index": "HNSW", "build": "M=8", "search": ""}


def test_a_run_kept_before_a_scenario_had_a_field_reads_back_with_its_default() -> None:
    kept = as_json(SweepConfig(scenario=ScenarioConfig(seed=7)))
    del kept["scenario"]["query_file"]
    assert from_json(kept).scenario == ScenarioConfig(seed=7)
