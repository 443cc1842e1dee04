"""`status`, `doctor`, `jobs` and `milvus`: what exists, what runs, what is lacking."""

from typing import Annotated

import typer

from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WorkspaceOption, app, finish, table
from pipeline.core.text import duration
from pipeline.store.workspace import Workspace

jobs_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Jobs: what runs and what ran.")
milvus_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The embedded Milvus server.")
for _name, _group in (("jobs", jobs_app), ("milvus", milvus_app)):
    app.add_typer(_group, name=_name)
JobArgument = Annotated[str, typer.Argument(help="A job's number, as in `jobs list`.")]


@app.command()
def status(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Show what a workspace holds.

    Example: python -m pipeline status --json
    """

    def body() -> Answer:
        from pipeline.jobs.job import jobs
        from pipeline.search.embedded.server import status as server_status
        from pipeline.workflow.overview import overview

        opened = Workspace.open(workspace)
        live = [j.as_dict() for j in jobs(opened) if j.alive]
        return {
            "workspace": str(opened.root),
            "stages": overview(opened),
            "jobs": live,
            "milvus": server_status(opened),
        }

    def show(answer: Answer) -> None:
        print(f"workspace {answer['workspace']}, Milvus {answer['milvus']['state']}")
        columns = ["stage", "state", "figure", "size", "age"]
        table(answer["stages"], columns, "Nothing is there yet: run `run --clicks shop`.")
        for job in answer["jobs"]:
            print(f"job {job['id']}: {job['title']}, {job['state']} for {duration(job['age_s'])}")

    finish(workspace, json, body, show)


@app.command()
def doctor(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Check what this machine has and lacks, and say what to do.

    Example: python -m pipeline doctor
    """

    def body() -> Answer:
        from pipeline.workflow.doctor import checks

        return {"checks": checks(workspace)}

    finish(workspace, json, body, lambda a: table(a["checks"], ["check", "ok", "found", "way_out"], ""))


@jobs_app.command("list")
def jobs_list(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List jobs, newest first.

    Example: python -m pipeline jobs list
    """

    def body() -> Answer:
        from pipeline.jobs.job import jobs

        return {"jobs": [j.as_dict() for j in jobs(Workspace.open(workspace))]}

    finish(
        workspace,
        json,
        body,
        lambda a: table(a["jobs"], ["id", "state", "title", "age_s", "error"], "No job has run yet."),
    )


@jobs_app.command("show")
def jobs_show(job: JobArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Show a job with its progress and its log.

    Example: python -m pipeline jobs show 3
    """

    def body() -> Answer:
        from pipeline.jobs.job import job as find

        found = find(Workspace.open(workspace), job)
        return found.as_dict() | {"log": found.log(), "result": found.end.get("result")}

    def show(answer: Answer) -> None:
        print(f"job {answer['id']}: {answer['title']}, {answer['state']}\n{answer['command']}\n{answer['log']}")
        if answer["error"]:
            print(answer["error"])

    finish(workspace, json, body, show)


@jobs_app.command("stop")
def jobs_stop(job: JobArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """End a training early and keep its best; other jobs end as if cancelled.

    Example: python -m pipeline jobs stop 3
    """

    def body() -> Answer:
        from pipeline.jobs.job import job as find
        from pipeline.jobs.job import stop_job

        found = find(Workspace.open(workspace), job)
        stop_job(found)
        return {"id": found.id, "state": found.state}

    finish(workspace, json, body, lambda a: print(f"Job {a['id']} is asked to end early and keep its best."))


@jobs_app.command("cancel")
def jobs_cancel(job: JobArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Cancel a running or queued job; what was there before it still is.

    Example: python -m pipeline jobs cancel 3
    """

    def body() -> Answer:
        from pipeline.jobs.job import cancel
        from pipeline.jobs.job import job as find

        found = find(Workspace.open(workspace), job)
        cancel(found)
        return {"id": found.id, "state": found.state}

    finish(workspace, json, body, lambda a: print(f"Job {a['id']} is {a['state']}."))


@milvus_app.command("start")
def milvus_start(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Start the embedded server and keep it until `milvus stop`.

    Example: python -m pipeline milvus start
    """

    def body() -> Answer:
        from pipeline.search.embedded.server import start_server

        return start_server(Workspace.open(workspace)) | {"collections": _collections(Workspace.open(workspace))}

    finish(workspace, json, body, _show_server)


@milvus_app.command("stop")
def milvus_stop(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Stop the embedded server, unless something still uses it.

    Example: python -m pipeline milvus stop
    """

    def body() -> Answer:
        from pipeline.search.embedded.server import stop_server

        return {"message": stop_server(Workspace.open(workspace))}

    finish(workspace, json, body, lambda a: print(a["message"]))


@milvus_app.command("restart")
def milvus_restart(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """End the embedded server and start it again: the way to end a build that was cancelled.

    Example: python -m pipeline milvus restart
    """

    def body() -> Answer:
        from pipeline.jobs.process import begin
        from pipeline.search.embedded.server import restart

        begin()
        return restart(Workspace.open(workspace))

    finish(workspace, json, body, _show_server)


@milvus_app.command("status")
def milvus_status(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Show where the server is, who uses it and what it holds.

    Example: python -m pipeline milvus status --json
    """

    def body() -> Answer:
        from pipeline.search.embedded.server import status as server_status

        opened = Workspace.open(workspace)
        found = server_status(opened)
        return found | ({"collections": _collections(opened)} if found["state"] in ("ready", "external") else {})

    finish(workspace, json, body, _show_server)


def _collections(workspace: Workspace) -> list[str]:
    from pipeline.search.embedded.server import connect

    with connect(workspace, "milvus status") as engine:
        return engine.collections()


def _show_server(answer: Answer) -> None:
    for name, value in answer.items():
        if name != "abandoned":
            print(f"{name:<14} {value}")
    for build in answer.get("abandoned", []):
        print(f"{build['index']:<14} {build['text']}")
