"""What can be chosen of a model is read from where it is declared, and written as the command line takes it."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.errors import UserError
from pipeline.models.options import Option, arguments, changed, options, parse_options, training_config
from pipeline.models.registry import KINDS
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace


def _range(option: Option) -> tuple[float, float]:
    low, high = option.limits
    assert low is not None, option
    assert high is not None, option
    return low, high


@pytest.mark.parametrize("model", KINDS)
def test_every_option_has_a_meaning_and_numbers_have_a_range(model: str) -> None:
    known = options(model)
    assert {option.name for option in known} == set(KINDS[model].defaults.model_dump())
    for option in known:
        assert option.meaning.endswith("."), option
        if type(option.default) in (int, float):
            low, high = _range(option)
            assert low <= option.default <= high
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


def _value(option: Option) -> st.SearchStrategy[Any]:
    """Draw a value that an option takes."""
    if option.choices:
        return st.sampled_from(option.choices)
    if isinstance(option.default, bool):
        return st.booleans()
    low, high = _range(option)
    if isinstance(option.default, int):
        return st.integers(int(low), int(high))
    return st.floats(low, high)


@st.composite
def chosen_options(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw a model and values of some of its options."""
    model = draw(st.sampled_from(list(KINDS)))
    known = options(model)
    some = draw(st.lists(st.sampled_from(known), unique_by=lambda option: option.name)) if known else []
    return model, {option.name: draw(_value(option)) for option in some}


def _as_typed(model: str, words: list[str]) -> Any:
    """Read a command's words as the command line does: options of a name of their own by their type, others by text."""
    config = type(KINDS[model].defaults)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    named = {name.removeprefix("--").replace("-", "_"): value for name, value in pairs if name != "--set"}
    other = parse_options(model, [value for name, value in pairs if name == "--set"])
    return training_config(model, {name: config.read(name, value) for name, value in named.items()} | other)


@settings(deadline=None)
@given(chosen_options())
def test_any_choice_is_the_same_through_json_and_the_command_line(choice: tuple[str, dict[str, Any]]) -> None:
    model, chosen = choice
    try:
        config = training_config(model, chosen)
    except UserError as refused:
        assert "choose 1 to sample" in str(refused)  # noqa: PT017
        return
    assert type(config).model_validate_json(config.model_dump_json()) == config
    assert training_config(model, json.loads(json.dumps(config.model_dump()))) == config
    assert _as_typed(model, arguments(model, config.model_dump())) == config
    differing = {name: value for name, value in dict(config).items() if value != getattr(KINDS[model].defaults, name)}
    assert changed(model, config.model_dump()) == differing


@settings(deadline=None)
@given(st.data(), st.sampled_from([name for name in KINDS if options(name)]))
def test_a_number_beyond_its_range_is_refused_however_it_is_given(data: st.DataObject, model: str) -> None:
    option = data.draw(st.sampled_from([option for option in options(model) if None not in option.limits]))
    low, high = (type(option.default)(limit) for limit in _range(option))
    whole = isinstance(option.default, int)
    beyond = data.draw(
        st.integers(max_value=low - 1) | st.integers(min_value=high + 1)
        if whole
        else st.floats(max_value=low, exclude_max=True) | st.floats(min_value=high, exclude_min=True)
    )
    low_text, high_text = (f"{limit:,.0f}" if float(limit).is_integer() else f"{limit:g}" for limit in (low, high))
    text = f"{option.name} {beyond} is out of range: choose {low_text} to {high_text}."
    with pytest.raises(UserError) as refused:
        training_config(model, {option.name: beyond})
    assert str(refused.value) == text
    with pytest.raises(UserError) as refused:
        parse_options(model, [f"{option.name}={beyond}"])
    assert str(refused.value) == text


@settings(deadline=None)
@given(st.sampled_from([name for name in KINDS if options(name)]), st.data())
def test_a_name_that_is_not_an_option_is_refused_with_what_was_meant(model: str, data: st.DataObject) -> None:
    option = data.draw(st.sampled_from([option.name for option in options(model) if len(option.name) > 3]))
    at = data.draw(st.integers(1, len(option) - 1))
    wrong = option[:at] + option[at + 1 :]
    with pytest.raises(UserError, match=f"has no option '{wrong}'.*Did you mean .*{option}"):
        parse_options(model, [f"{wrong}=1"])
    with pytest.raises(UserError, match=f"There is no option '{wrong}'.*Did you mean .*{option}"):
        KINDS[model].defaults.replace(**{wrong: 1})


def _form() -> None:
    from app.train import form

    form.form()


@pytest.mark.parametrize("model", [name for name in KINDS if options(name)])
def test_the_form_starts_what_was_chosen_in_it(
    model: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fields have the bounds of the options, and its words read as the values that were put in."""
    started: list[list[str]] = []
    monkeypatch.setattr("app.tray.launch", lambda words, title: started.append(words))
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace.root))
    page = AppTest.from_function(_form, default_timeout=60)
    page.query_params["model"] = model
    page.run()
    chosen: dict[str, Any] = {}
    for field in page.number_input:
        option = next(one for one in options(model) if f"{model}-{one.name}" == field.key)
        assert (field.min, field.max, field.help) == (*option.limits, option.meaning)
        chosen[option.name] = type(option.default)(_range(option)[option.name != "neighbours"])
        field.set_value(chosen[option.name])
    for toggle in page.toggle:
        chosen[str(toggle.key).removeprefix(f"{model}-")] = True
        toggle.set_value(True)
    page.run()
    assert not page.exception
    next(button for button in page.button if button.label in ("Train", "Train only")).click().run()
    if not started:  # a ranker waits for what retrieves
        assert "retrieval" in type(KINDS[model].defaults).model_fields
        return
    assert started[0][:3] == ["train", "--model", model]
    assert _as_typed(model, started[0][3:]) == training_config(model, chosen)
