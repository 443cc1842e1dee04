"""The contract of every command that can be typed: help, --json, exit codes, sentences, and its place in the docs."""

import json
import shlex
import typing
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.shared.commands import Command, manual, tree
from pipeline.core.project import PROJECT

COMMANDS = {command.name: command for command in tree()}
RUN = {name: command for name, command in COMMANDS.items() if command.runs}
SERVERS = {"milvus start", "milvus restart"}  # start Milvus wherever they are told to: see tests/search/embedded
MORE = {  # with which a command gets as far as to look at its other options
    "ingest": "--clicks synthetic:20", "run": "--clicks synthetic:20", "query": "--items a",
    "bench": "--model synthetic:3000,400,16 --dry-run", "bench data": "--model synthetic:300,40,16",
}  # fmt: skip


def _required(command: Command, folder: Path) -> list[str]:
    """Give what a command has to be given, of things that do not exist."""
    given = []
    for param in command.does.params:
        if param.required:
            value = "1" if _is_number(param) else str(folder / "x") if param.name in ("out", "to") else "x"
            given += [value] if param.param_type_name == "argument" else [param.opts[-1], value]
    return given


def _is_number(param: Any) -> bool:
    annotation = param.type_descriptor.annotation
    return not {int, float}.isdisjoint({annotation, *typing.get_args(annotation)})


def _answer(command: Command, folder: Path, *more: str) -> tuple[int, str, dict[str, Any]]:
    """Run a command with --json on a workspace that is empty; give its exit code, what it said, and its answer."""
    given = [*_required(command, folder), *more, "--workspace", str(folder / "ws"), "--json"]
    ended = CliRunner().invoke(app, [*command.name.split(), *given])
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    assert "Traceback" not in ended.output
    last = ended.stdout.splitlines()[-1] if ended.stdout else "{}"
    return ended.exit_code, ended.output, json.loads(last) if last.startswith("{") else {}


def test_the_tree_is_walked() -> None:
    assert {"run", "bench", "index build", "jobs list", "commands"} <= RUN.keys()
    assert {"index", "jobs"} <= COMMANDS.keys() - RUN.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_one_sentence_with_examples_and_the_common_options(name: str) -> None:
    command = COMMANDS[name]
    ended = CliRunner().invoke(app, [*name.split(), "--help"])
    assert ended.exit_code == 0
    assert command.sentence.endswith(".")
    assert ". " not in command.sentence
    assert command.sentence in " ".join(ended.stdout.split())
    if command.runs:
        assert command.hidden or command.examples
        assert {"workspace", "json"} <= {param.name for param in command.does.params}
        assert all(param.help for param in command.does.params if param.name != "help")


@pytest.mark.parametrize(
    ("name", "example"), [(n, example) for n, command in RUN.items() for example in command.examples]
)
def test_examples_can_be_typed(name: str, example: str) -> None:
    """Nothing is run: the example is read as its command reads it."""
    _, typed, rest = example.partition("python -m pipeline ")
    assert typed
    words, does, path = shlex.split(rest), typer.main.get_command(app), []
    while words and words[0] in getattr(does, "commands", {}):
        path.append(words.pop(0))
        does = does.commands[path[-1]]  # type: ignore[attr-defined]
    assert COMMANDS[name].hidden or " ".join(path) == name, (
        "an example of another command"
    )  # an earlier name has its own
    does.make_context(name, words)


@pytest.mark.parametrize("name", sorted(RUN.keys() - SERVERS))
def test_on_an_empty_workspace_it_answers_or_says_what_is_missing(name: str, tmp_path: Path) -> None:
    code, said, answer = _answer(RUN[name], tmp_path)
    assert code in (0, 2), said
    assert answer, "the last line is one JSON object"
    assert (code == 2) == ("error" in answer)
    if code == 2:
        assert answer["error"].endswith((".", "?", "…`."))
        assert "\n" not in answer["error"]
        assert not (tmp_path / "ws" / "milvus").exists(), "no server is started for what is refused"


@pytest.mark.parametrize(
    ("name", "option"),
    [(n, p.opts[-1]) for n, command in sorted(RUN.items()) for p in command.does.params if _is_number(p)],
)
def test_a_number_out_of_range_is_a_sentence(name: str, option: str, tmp_path: Path) -> None:
    more = MORE.get(name, "").split()
    code, said, answer = _answer(RUN[name], tmp_path, *more, f"{option}=-1")
    assert code == 2, said
    assert answer.get("error", "").endswith((".", "?")) or "Invalid value for" in said


def test_every_command_is_documented() -> None:
    document = (PROJECT / "docs" / "commands.md").read_text()
    assert document == manual(), "run `python -m pipeline commands --markdown > docs/commands.md`"
    headings = {line.lstrip("# ") for line in document.splitlines() if line.startswith("##")}
    assert headings == {name for name, command in COMMANDS.items() if not command.hidden}
    assert "docs/commands.md" in (PROJECT / "README.md").read_text()
