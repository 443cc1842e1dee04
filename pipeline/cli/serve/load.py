"""`serve load`: what is served, asked by many at once."""

from typing import Annotated

import typer

from pipeline.cli.serve.group import IndexChoice, ModelChoice, serve_app
from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, finish, table, writing


@serve_app.command("load")
def load(
    via: Annotated[str, typer.Option(help="fast, triton, or both with a comma between them.")] = "fast,triton",
    clients: Annotated[str, typer.Option(help="Client processes, one point for each.")] = "1,4,16",
    batch: Annotated[int, typer.Option(help="Sessions in a request of one more point; 1 for none.")] = 32,
    seconds: Annotated[float, typer.Option(help="For each point.")] = 5.0,
    model: ModelChoice = None,
    index: IndexChoice = None,
    workspace: WorkspaceOption = WORKSPACE,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Measure sessions/s and latency of what is served, and what each part of it takes.

    Example: python -m pipeline serve load --clients 1,4,16
    """

    def body() -> Answer:
        from pipeline.bench.serving.load import LoadConfig, measure_load

        config = LoadConfig.read(via, clients, batch, seconds)
        with writing(workspace, "serve load", wait) as (opened, job):
            job.result = measure_load(opened, config, model, index, job.progress("load"))
            return job.result

    finish(workspace, json, body, _show)


def _show(answer: Answer) -> None:
    table(answer["rows"], ["via", "clients", "batch", "sessions_per_s", "p50_ms", "p95_ms", "p99_ms"], "")
    if answer["added"]:
        print("What each part takes of one session alone, ms:")
        table(answer["added"], ["part", "fast_ms", "triton_ms", "added_ms"], "")
    print(f"{answer['items']:,} items, {answer['stages']} stages, {answer['machine']}")
