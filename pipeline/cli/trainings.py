"""`trainings …`: every training that ended, and which one is in use."""

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.shared.base import (
    WORKSPACE,
    Answer,
    JsonOption,
    WaitOption,
    WorkspaceOption,
    app,
    finish,
    table,
    writing,
)
from pipeline.core.text import duration, size
from pipeline.store.workspace import Workspace

trainings_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Trainings that ended, or were cut off.")
app.add_typer(trainings_app, name="trainings")
TrainingArgument = Annotated[str, typer.Argument(help="A training as `trainings list` names it.")]
NamesArgument = Annotated[list[str], typer.Argument(help="Trainings as `trainings list` names them.")]


@trainings_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the trainings that ended, newest first, and those that were cut off and can go on.

    Example: python -m pipeline trainings list
    """

    def body() -> Answer:
        from pipeline.training.history import list_trainings
        from pipeline.training.interrupted import interrupted

        opened = Workspace.open(workspace)
        kept = [asdict(training) for training in list_trainings(opened)]
        cut_off = [asdict(found) | {"arguments": found.arguments} for found in interrupted(opened)]
        return {"trainings": kept, "bytes": sum(row["bytes"] for row in kept), "interrupted": cut_off}

    finish(workspace, json, body, _show)


def _show(answer: Answer) -> None:
    columns = ["name", "in_use", "started", "took", "passes", "options", "validation", "tested", "data", "size"]
    table([_line(row) for row in answer["trainings"]], columns, "No training has ended yet: run `train`.")
    if answer["trainings"]:
        print(f"Together {size(answer['bytes'])}.")
    for found in answer["interrupted"]:
        print(
            f"A training of {found['model']} was cut off after {found['passes']} passes; "
            f"it goes on with `train {' '.join(found['arguments'])}`."
        )


def _line(row: Answer) -> Answer:
    return {
        **row,
        "took": duration(row["seconds"]),
        "passes": row["epochs"],
        "options": ", ".join(f"{name}={value}" for name, value in row["options"].items()) or "defaults",
        "validation": row["validation"].get("recall@20"),
        "tested": row["tested"].get("recall@20"),
        "size": size(row["bytes"]),
    }


@trainings_app.command("use")
@trainings_app.command("serve", hidden=True)  # as it was called before
def use(
    name: TrainingArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Let a training answer in its model's place; `run` then makes vectors, indexes, evaluation and map of it.

    Example: python -m pipeline trainings use session-20250101-120000
    """

    def body() -> Answer:
        from pipeline.training.archive import use_training
        from pipeline.training.history import find_training

        find_training(Workspace.open(workspace), name)
        with writing(workspace, f"trainings use {name}", wait) as (opened, job):
            job.result = {"training": name, "model": use_training(opened, name).model, "done": "use"}
            return job.result

    def show(answer: Answer) -> None:
        print(f"{name} is in use as {answer['model']}; `run --model {answer['model']}` refreshes what is made from it.")

    finish(workspace, json, body, show)


@trainings_app.command("delete")
def delete(
    names: NamesArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Remove trainings for good; the one in use is refused.

    Example: python -m pipeline trainings delete session-20250101-120000
    """

    def body() -> Answer:
        from pipeline.training.archive import delete as remove

        with writing(workspace, f"trainings delete {' '.join(names)}", wait) as (opened, job):
            for name in names:
                remove(opened, name)
            job.result = {"trainings": names, "done": "delete"}
            return job.result

    finish(workspace, json, body, lambda answer: print(f"{', '.join(names)}: deleted."))
