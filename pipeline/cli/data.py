"""`data`: the data sets that have a name, and how they come into the folder of data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from pipeline.clicks.datasets import DataSet

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Data sets that have a name.")
app.add_typer(data_app, name="data")
DataSetArgument = Annotated[str, typer.Argument(help="The data set, as `data list` names it.")]
_COLUMNS = ["name", "state", "title", "licence", "about"]


def _answer(data: "DataSet", path: Path) -> Answer:
    facts = {k: getattr(data, k) for k in ("name", "title", "licence", "source", "about")}
    return facts | {"file": str(path), "bytes": path.stat().st_size}


def _show(answer: Answer) -> None:
    print(f"{answer['title']}: {answer['about']}")
    print(f"{answer['source']}\nLicence: {answer['licence']}")
    print(f"It lies in {answer['file']}; run it with `run --clicks {answer['name']}`.")


@data_app.command("list")
def data_list(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the data sets that `--clicks` knows by name, and whether they are here.

    Example: python -m pipeline data list
    """

    def body() -> Answer:
        from pipeline.clicks.datasets import folder, known_data_sets

        columns = ("name", "state", "title", "about", "licence", "source")
        return {"folder": str(folder()), "data": [{c: getattr(d, c) for c in columns} for d in known_data_sets()]}

    def show(answer: Answer) -> None:
        table(answer["data"], _COLUMNS, "")
        print(f"Files lie in {answer['folder']}; one put there by hand counts as fetched.")

    finish(workspace, json, body, show)


@data_app.command("options")
def data_options(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List what can be chosen of preprocessing by `--data NAME=VALUE`, with its default and what it means.

    Example: python -m pipeline data options
    """

    def body() -> Answer:
        from pipeline.sessions.config import PreprocessConfig

        fields = PreprocessConfig.model_fields.items()
        return {"options": [{"name": n, "default": f.default, "about": f.description} for n, f in fields]}

    finish(workspace, json, body, lambda answer: table(answer["options"], ["name", "default", "about"], ""))


@data_app.command("fetch")
def data_fetch(
    name: DataSetArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Download a data set from its publisher and check it; an interrupted download resumes.

    Example: python -m pipeline data fetch eshop
    """

    def body() -> Answer:
        from pipeline.clicks.datasets import fetch, find_data_set

        if (data := find_data_set(name)) is not None:
            typer.echo(f"{data.source}. Licence: {data.licence}.", err=True)
        with writing(workspace, f"fetch {name}", wait) as (_, job):
            job.result = _answer(*fetch(name, job.progress("fetch")))
            return job.result

    finish(workspace, json, body, _show)


@data_app.command("import")
def data_import(
    name: DataSetArgument,
    file: Annotated[Path, typer.Argument(help="A file of clicks, downloaded by hand or of your own.")],
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Copy a file into the folder of data sets: a known one, checked, or one of your own under a new name.

    Example: python -m pipeline data import eshop ~/Downloads/eshop.zip
    """

    def body() -> Answer:
        from pipeline.clicks.datasets import bring

        with writing(workspace, f"import {name}", wait) as (_, job):
            job.result = _answer(*bring(name, file.expanduser(), job.progress("import")))
            return job.result

    finish(workspace, json, body, _show)
