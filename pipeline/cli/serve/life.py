"""`serve up|down|status`: Triton's life."""

from typing import Annotated

import typer

from pipeline.cli.serve.group import serve_app
from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, finish, table, writing
from pipeline.store.workspace import Workspace


@serve_app.command("up")
def up(workspace: WorkspaceOption = WORKSPACE, wait: WaitOption = False, json: JsonOption = False) -> None:
    """Start Triton on what is exported, or have it swap to that, and let it run until `serve down`.

    Example: python -m pipeline serve up
    """

    def body() -> Answer:
        from pipeline.serving.triton.server import up as start

        with writing(workspace, "serve up", wait) as (opened, job):
            job.result = start(opened, job.progress("Triton"))
            return job.result

    finish(workspace, json, body, _show)


@serve_app.command("down")
def down(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """End what `serve up` began; Triton goes on while others hold it.

    Example: python -m pipeline serve down
    """

    def body() -> Answer:
        from pipeline.serving.triton.server import down as stop

        return {"note": stop(Workspace.open(workspace))}

    finish(workspace, json, body, lambda answer: print(answer["note"]))


@serve_app.command("run")
def run(
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 within a container.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Of HTTP; gRPC and metrics take the two after it, as in NVIDIA's container.")
    ] = 8000,
    patient: Annotated[bool, typer.Option("--patient", help="Wait for the first `serve export`.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Run Triton in the foreground on what is exported, for a container; `serve up` is for one's own machine.

    Example: python -m pipeline serve run --host 0.0.0.0
    """

    def body() -> Answer:
        from pipeline.core.errors import UserError
        from pipeline.serving.triton.foreground import run_here

        code = run_here(Workspace.open(workspace), host, port, patient, lambda text: print(text, flush=True))
        if code:
            raise UserError(f"Triton ended with exit code {code}: its log stands above.")
        return {"note": "Triton is stopped."}

    finish(workspace, json, body, lambda answer: print(answer["note"]))


@serve_app.command("status")
def status(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Tell whether Triton runs, where, what it serves, and the memory of each process.

    Example: python -m pipeline serve status
    """

    def body() -> Answer:
        from pipeline.serving.triton.server import status as look

        found = look(Workspace.open(workspace))
        if found.get("state") in ("ready", "external"):
            from pipeline.serving.triton.client import TritonClient

            client = TritonClient(found["grpc"], ranked=True)
            try:
                found |= client.about()
            finally:
                client.close()
        return found

    finish(workspace, json, body, _show)


def _show(answer: Answer) -> None:
    print(f"Triton is {answer['state']}" + (f": {answer['error']}" if "error" in answer else ""))
    for name in ("grpc", "http", "metrics", "version", "log"):
        if name in answer:
            print(f"  {name:<8} {answer[name]}")
    if answer["processes"]:
        table(answer["processes"], ["pid", "name", "mb", "tensorflow"], "")
    for model in answer.get("models", []):
        print(f"  {model['name']}: {model['state'].lower()}")
    for holder in answer["held_by"]:
        print(f"  held by {holder.get('what')} (pid {holder.get('pid')})")
