"""What can be chosen of a model is read from where it is declared, and written as the command line takes it."""

from itertools import pairwise
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.models.options import arguments, changed, options, parse_options, training_config
from pipeline.models.registry import KINDS


@pytest.mark.parametrize("model", KINDS)
def test_every_option_has_a_meaning_and_numbers_have_a_range(model: str) -> None:
    known = options(model)
    assert {option.name for option in known} == set(KINDS[model].defaults.model_dump())
    for option in known:
        assert option.meaning.endswith("."), option
        if type(option.default) in (int, float):
            assert option.limits is not None, option
            assert option.limits[0] <= option.default <= option.limits[1]
    usual = [option.usual for option in known]
    assert usual == sorted(usual, reverse=True)


@pytest.mark.parametrize(
    ("model", "chosen"),
    [
        ("session", {"epochs": 3, "learning_rate": 1e-5, "dim": 64, "go_on": True, "scale": 0.0}),
        ("dlrm", {"retrieval": "two_tower_published", "epochs": 2}),
        ("vsknn", {"sample": 2000}),
        ("popularity", {}),
    ],
)
def test_what_is_chosen_reads_the_same_from_the_command_line(model: str, chosen: dict[str, Any]) -> None:
    words = arguments(model, chosen)
    named = {name.removeprefix("--").replace("-", "_"): value for name, value in pairwise(words)}
    named = {name: type(chosen[name])(value) for name, value in named.items() if name in chosen}
    other = parse_options(model, [value for name, value in pairwise(words) if name == "--set"])
    config = training_config(model, named | other)
    assert config == training_config(model, chosen)
    usual = KINDS[model].defaults
    assert changed(model, config.model_dump()) == {k: v for k, v in chosen.items() if v != getattr(usual, k)}


def test_a_truth_is_read_as_one() -> None:
    assert parse_options("session", ["go_on=False"]) == {"go_on": False}
    assert parse_options("session", ["go_on=true", "dim=32"]) == {"go_on": True, "dim": 32}
    with pytest.raises(UserError, match="go_on 'x' is not true or false: write it like go_on=false"):
        parse_options("session", ["go_on=x"])


def test_run_takes_every_option_too(tmp_path: Any) -> None:
    given = ["run", "--clicks", "shop", "--set", "dims=3", "--workspace", str(tmp_path / "ws")]
    ended = CliRunner().invoke(app, given)
    assert ended.exit_code == 2
    assert "Did you mean dim?" in ended.output
