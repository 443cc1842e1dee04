"""`commands`: what can be typed; docs/commands.md is written by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import Annotated, Any

import typer

from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WorkspaceOption, app, finish, table

_COMMON = ("workspace", "json", "wait")


@dataclass(frozen=True)
class Command:
    """A command or a group of commands, as it is typed after `python -m pipeline`."""

    name: str
    does: Any
    """What Typer made of it."""

    @property
    def runs(self) -> bool:
        """Tell whether it does something by itself; a group need not."""
        return not getattr(self.does, "commands", {}) or self.does.invoke_without_command

    @property
    def hidden(self) -> bool:
        """Tell whether it is an old name that goes on working."""
        return bool(self.does.hidden)

    @property
    def sentence(self) -> str:
        """Say in one sentence what it does."""
        return " ".join(self._help[0].split())

    @property
    def examples(self) -> list[str]:
        """List what could be typed."""
        told = (" ".join(part.split()) for part in self._help[1:])
        return [part.removeprefix("Example: ") for part in told if part.startswith("Example: ")]

    @property
    def more(self) -> list[str]:
        """Give what else its help says, paragraph by paragraph."""
        told = (" ".join(part.split()) for part in self._help[1:])
        return [part for part in told if not part.startswith("Example: ")]

    @property
    def _help(self) -> list[str]:
        return cleandoc(self.does.help or "").split("\n\n")


def tree() -> list[Command]:
    """List all commands and groups, hidden ones too, in the order in which help has them."""
    return list(_below(typer.main.get_command(app), ""))


def _below(does: Any, name: str) -> Iterator[Command]:
    if name:
        yield Command(name, does)
    for part, one in getattr(does, "commands", {}).items():
        yield from _below(one, f"{name} {part}".strip())


def manual() -> str:
    """Write docs/commands.md."""
    shown = [command for command in tree() if not command.hidden]
    return "\n\n".join([_INTRODUCTION, *map(_section, shown)]) + "\n"


_INTRODUCTION = """# Commands

Written from the commands by `python -m pipeline commands --markdown`: change the help in `pipeline/cli/`, not this
file.

What is typed is `python -m pipeline COMMAND`. Every command takes `--workspace PATH`, the folder that holds everything
(without it CLICK_ROAD_WORKSPACE, or `workspace`), and `--json`, for one JSON object on the last line of stdout. With
`--wait` those that write queue behind a job that is running. They end with 0, with 2 for what you can mend, with 130
when cancelled, with 1 for a defect."""


def _section(command: Command) -> str:
    parts = [f"{'###' if ' ' in command.name else '##'} {command.name}", command.sentence, *command.more]
    if command.examples:
        parts.append("\n".join(["```", *command.examples, "```"]))
    takes = [param for param in command.does.params if param.name not in _COMMON] if command.runs else []
    return "\n\n".join([*parts, *(["\n".join(map(_taken, takes))] if takes else [])])


def _taken(param: Any) -> str:
    """Describe an option or an argument in a line of a list."""
    written = param.name.upper() if param.param_type_name == "argument" else param.opts[-1]
    notes = ["required"] if param.required and param.param_type_name == "option" else []
    if param.default not in (None, "", False, ()) and not param.required:
        notes.append(f"default: {param.default}")
    return f"- `{written}`: {param.help}" + (f" ({'; '.join(notes)})" if notes else "")


@app.command("commands")
def commands(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/commands.md.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """List the commands, each with what it does.

    Example: python -m pipeline commands
    """

    def body() -> Answer:
        if markdown:
            return {"markdown": manual()}
        shown = [command for command in tree() if command.runs and not command.hidden]
        return {"commands": [{"command": c.name, "does": c.sentence, "examples": c.examples} for c in shown]}

    def show(answer: Answer) -> None:
        if markdown:
            print(answer["markdown"], end="")
        else:
            table(answer["commands"], ["command", "does"], "")

    finish(workspace, json, body, show)
