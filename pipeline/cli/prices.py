"""`prices …`: what a core, a gigabyte of memory and a GPU cost."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WorkspaceOption, app, finish, table
from pipeline.store.workspace import Workspace

prices_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What cores, memory and GPUs cost.")
app.add_typer(prices_app, name="prices")


@prices_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the prices, the workspace's own or the shipped ones.

    Example: python -m pipeline prices list
    """

    def body() -> Answer:
        from pipeline.bench.analysis.prices import load_prices, own_file

        opened = Workspace.open(workspace)
        return {"own": own_file(opened).exists(), "prices": [asdict(row) for row in load_prices(opened)]}

    columns = ["name", "vcpu_hour_usd", "gb_hour_usd", "date", "source", "gpu_hour_usd", "gpu_date", "gpu_source"]

    def show(answer: Answer) -> None:
        exact = [{c: _written(c, v) for c, v in row.items()} for row in answer["prices"]]
        table(exact, columns, "")

    finish(workspace, json, body, show)


def _written(column: str, value: Any) -> Any:
    if column == "date":
        return value or "check it"
    return f"{value:g}" if isinstance(value, float) else value


@prices_app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="Prices as `prices list` names them, or a new name.")],
    vcpu_hour: Annotated[str | None, typer.Option(help="USD an hour for a virtual core.")] = None,
    gb_hour: Annotated[str | None, typer.Option(help="USD an hour for 2^30 bytes of memory.")] = None,
    source: Annotated[str | None, typer.Option(help="Where they are published.")] = None,
    date: Annotated[str | None, typer.Option(help="When you looked, as YYYY-MM-DD.")] = None,
    gpu_hour: Annotated[str | None, typer.Option(help="USD an hour for a whole instance with one GPU.")] = None,
    gpu_source: Annotated[str | None, typer.Option(help="Which instance that is, and where it is published.")] = None,
    gpu_date: Annotated[str | None, typer.Option(help="When you looked that up, as YYYY-MM-DD.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Add prices, or change some; the workspace then keeps all of its own.

    Example: python -m pipeline prices set mine --vcpu-hour 0.03 --gb-hour 0.004 --source our-contract --date 2026-01-31
    """

    def body() -> Answer:
        from pipeline.bench.analysis.prices import change

        given = {"vcpu_hour_usd": vcpu_hour, "gb_hour_usd": gb_hour, "source": source, "date": date}
        given |= {"gpu_hour_usd": gpu_hour, "gpu_source": gpu_source, "gpu_date": gpu_date}
        return asdict(change(Workspace.open(workspace), name, {k: v for k, v in given.items() if v is not None}))

    def show(answer: Answer) -> None:
        print(f"{name}: {answer['vcpu_hour_usd']:g} USD a core and {answer['gb_hour_usd']:g} USD a GB, each an hour.")

    finish(workspace, json, body, show)
