"""The form's command says what the form says, and every index type has values that can be tried."""

import pytest

from app.sweep import Chosen, tried
from pipeline.bench.options import sweep_config
from pipeline.bench.plan import IndexGrid, plan
from pipeline.bench.presets import PRESETS
from pipeline.bench.scenarios import ScenarioConfig
from pipeline.vectors.support import EMBEDDED, supported_names


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_as_it_is_needs_no_more_words(preset: str) -> None:
    chosen = Chosen("user-user", "two_tower", preset, tuple(reversed(PRESETS[preset].indexes)))
    assert chosen.command == ["bench", "--scenario", "user-user", "--model", "two_tower", "--preset", preset]


def test_what_is_changed_is_in_the_command() -> None:
    chosen = Chosen("item-item", "m", "quick", (IndexGrid("HNSW", "M=8", "ef=100"),))
    chosen.load, chosen.flags, chosen.server = {"nq": "1"}, ["--skip-dominated"], "mine"
    said = "--index HNSW --build M=8 --search ef=100 --nq 1 --skip-dominated --server mine"
    assert chosen.command[7:] == said.split()


@pytest.mark.parametrize("index", supported_names(EMBEDDED))
def test_every_type_has_values_to_try(index: str) -> None:
    config = sweep_config(
        ScenarioConfig("item-item", "synthetic:10000"), indexes=[index], builds=[""], searches=[tried(index)]
    )
    found = plan(config, 5000, 64, 5000)
    settings = {(point.build, point.search) for point in found.points}
    assert len(settings) == (3 if tried(index) else 1)
