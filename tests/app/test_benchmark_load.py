"""The form's command says what the form says, and every index type has values that can be tried."""

import pytest

from app.benchmark.job import AskedVectors, Chosen
from app.benchmark.load import tried
from pipeline.bench.data.scenarios import ScenarioConfig
from pipeline.bench.run.grid import IndexGrid
from pipeline.bench.run.options import sweep_config
from pipeline.bench.run.plan import plan
from pipeline.bench.run.presets import PRESETS
from pipeline.bench.run.tune import Goal
from pipeline.core.errors import UserError
from pipeline.search.compatibility import EMBEDDED, supported_names

ITEMS = AskedVectors(5000, 64, 5000, "item-item", "m")
THERE = AskedVectors(9000, 16, 9000, collection="ready", index=IndexGrid("IVF_FLAT"))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_as_it_is_needs_no_more_words(preset: str) -> None:
    asked = AskedVectors(5000, 64, 5000, "user-user", "two_tower")
    chosen = Chosen(asked, preset, tuple(reversed(PRESETS[preset].indexes)))
    assert chosen.command == ["bench", "--scenario", "user-user", "--model", "two_tower", "--preset", preset]


def test_what_is_changed_is_in_the_command() -> None:
    chosen = Chosen(ITEMS, "quick", (IndexGrid("HNSW", "M=8", "ef=100"),))
    chosen.load, chosen.flags, chosen.server = {"nq": "1", "rate": "50,200"}, ["--skip-dominated"], "mine"
    said = "--index HNSW --build M=8 --search ef=100 --nq 1 --rate 50,200 --skip-dominated --server mine"
    assert chosen.command[7:] == said.split()
    found = chosen.planned()
    assert [point.rate for point in found.points] == [50.0, 200.0]


def test_a_tuning_says_its_goal_and_as_many_points_as_trials() -> None:
    chosen = Chosen(ITEMS, "quick", (IndexGrid("HNSW"),), load={"seconds": "1"}, goal=Goal(0.9, 5.0, 12))
    said = "bench tune --recall 0.9 --p99 5 --trials 12 --scenario item-item --model m --index HNSW --seconds 1"
    assert chosen.command == said.split()
    found = chosen.planned()
    assert len(found.points) == 12
    assert {(p.nq, p.concurrency, p.top_k) for p in found.points} == {(1, 4, 100)}
    assert 12 < found.seconds < 60
    assert chosen.title == "bench tune item-item"


def test_a_collection_is_asked_as_it_is_and_nothing_is_built() -> None:
    chosen = Chosen(THERE, "quick", (IndexGrid("IVF_FLAT", "", "nprobe=4,16"),), load={"nq": "10", "seconds": "1"})
    said = "bench --collection ready --preset quick --index IVF_FLAT --search nprobe=4,16 --nq 10 --seconds 1"
    assert chosen.command == said.split()
    assert chosen.planned().seconds < 9 + 2 * 2  # a server's start, and two points
    assert chosen.title == "bench ready"


def test_too_few_vectors_are_refused_before_anything_runs() -> None:
    with pytest.raises(UserError, match="217 vectors would be indexed, and under about 1,024"):
        Chosen(AskedVectors(217, 64, 217, "item-item", "m"), "quick", (IndexGrid("HNSW"),)).planned()


@pytest.mark.parametrize("index", supported_names(EMBEDDED))
def test_every_type_has_values_to_try(index: str) -> None:
    config = sweep_config(
        ScenarioConfig(scenario="item-item", model="synthetic:10000"),
        indexes=[index],
        builds=[""],
        searches=[tried(index)],
    )
    found = plan(config, 5000, 64, 5000)
    settings = {(point.build, point.search) for point in found.points}
    assert len(settings) == (3 if tried(index) else 1)
