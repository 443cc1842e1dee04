"""`prices …`: what a core and a gigabyte of memory cost."""

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.base import WORKSPACE, Answer, JsonOption, WorkspaceOption, app, finish, table
from pipeline.workspace import Workspace

prices_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What cores and memory cost.")
app.add_typer(prices_app, name="prices")


@prices_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the prices, the workspace's own or the shipped ones.

    Example: python -m pipeline prices list
    """

    def body() -> Answer:
        from pipeline.prices import load, own_file

        opened = Workspace.open(workspace)
        return {"own": own_file(opened).exists(), "prices": [asdict(row) for row in load(opened)]}

    columns = ["name", "vcpu_hour_usd", "gb_hour_usd", "date", "source"]

    def show(answer: Answer) -> None:
        exact = [{c: f"{v:g}" if isinstance(v, float) else v for c, v in row.items()} for row in answer["prices"]]
        table(exact, columns, "")

    finish(workspace, json, body, show)


@prices_app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="Prices as `prices list` names them, or a new name.")],
    vcpu_hour: Annotated[str | None, typer.Option(help="USD an hour for a virtual core.")] = None,
    gb_hour: Annotated[str | None, typer.Option(help="USD an hour for 2^30 bytes of memory.")] = None,
    source: Annotated[str | None, typer.Option(help="Where they are published.")] = None,
    date: Annotated[str | None, typer.Option(help="When you looked, as YYYY-MM-DD.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Add prices, or change some; the workspace then keeps all of its own.

    Example: python -m pipeline prices set mine --vcpu-hour 0.03 --gb-hour 0.004 --source our-contract --date 2026-01-31
    """

    def body() -> Answer:
        from pipeline.prices import change

        given = {"vcpu_hour_usd": vcpu_hour, "gb_hour_usd": gb_hour, "source": source, "date": date}
        return asdict(change(Workspace.open(workspace), name, {k: v for k, v in given.items() if v is not None}))

    def show(answer: Answer) -> None:
        print(f"{name}: {answer['vcpu_hour_usd']:g} USD a core and {answer['gb_hour_usd']:g} USD a GB, each an hour.")

    finish(workspace, json, body, show)
