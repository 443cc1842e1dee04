"""`features …`: what is known of sessions and items, in a feature store that requests are answered from (Feast)."""

from pathlib import Path
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
from pipeline.core.text import duration
from pipeline.store.workspace import Workspace

features_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Features of sessions and items, in a feature store (Feast)."
)
app.add_typer(features_app, name="features")
OnlineOption = Annotated[
    Path | None,
    typer.Option("--online-store", help="A YAML file with Feast's `online_store`, such as Redis; SQLite by default."),
]


@features_app.command("apply")
def apply(
    online_store: OnlineOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Compute the features of the sessions and items as they are, and declare them to Feast.

    Example: python -m pipeline features apply
    """

    def body() -> Answer:
        from pipeline.serving.features import repository
        from pipeline.serving.features.stage import STAGE, features

        online = None if online_store is None else repository.read_online_store(online_store)
        with writing(workspace, "features apply", wait) as (opened, job):
            done = features(opened, job.progress(STAGE))
            folder = repository.apply(opened, online)
            job.result = {
                "repository": str(folder),
                "online_store": repository.online_type(folder),
                "skipped": done.skipped,
                **done.manifest["metrics"],
            }
            return job.result

    def show(answer: Answer) -> None:
        print(f"{answer['items']:,} items, {answer['train_rows'] + answer['test_rows']:,} moments of sessions")
        print(f"feature repository {answer['repository']} ({answer['online_store']})")
        print("Fill its online store with `features materialize`.")

    finish(workspace, json, body, show)


@features_app.command("materialize")
def materialize(
    sessions: Annotated[str, typer.Option(help="Which sessions go online: test, all or none.")] = "test",
    workspace: WorkspaceOption = WORKSPACE,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Put the newest features of every item, and of sessions, into the online store; goes on where it was cut off.

    Example: python -m pipeline features materialize --sessions all
    """

    def body() -> Answer:
        from pipeline.serving.features.fill import fill
        from pipeline.serving.features.repository import find_repository

        with writing(workspace, "features materialize", wait) as (opened, job):
            found = fill(opened, find_repository(opened), sessions, job.progress("features online"))
            job.result = {"views": [{"view": name, **row} for name, row in found.items()]}
            return job.result

    def show(answer: Answer) -> None:
        rows = [row | {"took": duration(row["seconds"]), "rows/s": _rate(row)} for row in answer["views"]]
        table(rows, ["view", "rows", "took", "rows/s"], "Nothing is online.")

    finish(workspace, json, body, show)


def _rate(row: Answer) -> float:
    return round(row["rows"] / max(row["seconds"], 1e-3))


@features_app.command("get")
def get(
    session: Annotated[str | None, typer.Option(help="A session's id, as in the clicks.")] = None,
    item: Annotated[str | None, typer.Option(help="An item's id.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Look up what the online store knows of a session or of an item.

    Example: python -m pipeline features get --item A13
    """

    def body() -> Answer:
        from pipeline.core.errors import UserError
        from pipeline.serving.features.look_up import item_features, session_features

        if (session is None) == (item is None):
            raise UserError("`features get` looks up one thing: give --session ID or --item ID.")
        opened = Workspace.open(workspace)
        return item_features(opened, item) if item is not None else session_features(opened, str(session))

    def show(answer: Answer) -> None:
        for name, value in answer["features"].items():
            print(f"{name:<18} {'–' if value is None else value}")

    finish(workspace, json, body, show)
