"""`bench` and `bench tune`: what a Milvus server can do, measured."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline.cli.bench.base import (
    COLUMNS,
    DrawSeedOption,
    FileOption,
    MetricOption,
    QueriesOption,
    QueryFileOption,
    RowsOption,
    ScenarioOption,
    ServerOption,
    VectorsOption,
    bench_app,
    scenario_config,
    show_run,
    shown,
)
from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, finish, table, writing
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.text import duration
from pipeline.store.workspace import Workspace


@bench_app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    scenario: ScenarioOption = "item-item",
    model: VectorsOption = DEFAULT_MODEL,
    file: FileOption = "",
    query_file: QueryFileOption = "",
    metric: MetricOption = "",
    rows: RowsOption = 0,
    queries: QueriesOption = 10_000,
    seed: DrawSeedOption = 0,
    preset: Annotated[str | None, typer.Option(help="quick, workshop or published; other options change it.")] = None,
    index: Annotated[list[str] | None, typer.Option(help="An index type; may be given several times.")] = None,
    build: Annotated[list[str] | None, typer.Option(help="Of each --index, e.g. 'M=8,16,efConstruction=500'.")] = None,
    search: Annotated[list[str] | None, typer.Option(help="Of each --index, e.g. 'ef=100,200'.")] = None,
    nq: Annotated[str | None, typer.Option(help="Queries a request, e.g. '1,1000'.")] = None,
    concurrency: Annotated[str | None, typer.Option(help="Client processes, e.g. '1,4'.")] = None,
    top_k: Annotated[str | None, typer.Option(help="Neighbours asked for, e.g. '10,100'.")] = None,
    rate: Annotated[str | None, typer.Option(help="Open loop: requests a second, e.g. '200,500'.")] = None,
    client: Annotated[str, typer.Option(help="raw, or pymilvus to show its figure beside it.")] = "raw",
    seconds: Annotated[float | None, typer.Option(help="How long each point is measured.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Measure each point this many times, for its spread.")] = None,
    server: ServerOption = None,
    skip_dominated: Annotated[
        bool, typer.Option("--skip-dominated", help="Leave out what another setting beat at the first load.")
    ] = False,
    build_limit: Annotated[float, typer.Option(help="Seconds that an index may take to be built.")] = 1800.0,
    collection: Annotated[
        str, typer.Option(help="Ask this collection of others on the server as it is; it is only read.")
    ] = "",
    dask: Annotated[str, typer.Option(help="A Dask scheduler, tcp://HOST:PORT, whose workers are the clients.")] = "",
    name: Annotated[str | None, typer.Option(help="A name for the run.")] = None,
    resume: Annotated[str | None, typer.Option(help="Continue this run; other options are ignored.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many points and how long, and stop.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Sweep over settings of an index: recall, QPS and latency at each point, and whether the client was the limit.

    A run that was cut off goes on when the same is asked again.

    Example: python -m pipeline bench --scenario user-user --index HNSW --search ef=100,200 --nq 1,1000
    """
    if context.invoked_subcommand is not None:
        return

    def body() -> Answer:
        from pipeline.bench.run import sweep
        from pipeline.bench.run.options import resumed, sweep_config
        from pipeline.bench.runs import check_run_name

        opened = Workspace.open(workspace)
        options: dict[str, Any] = {
            "preset": preset, "indexes": index, "builds": build, "searches": search, "nq": nq,
            "concurrency": concurrency, "top_k": top_k, "rates": rate, "client": client, "seconds": seconds,
            "repeats": repeats, "server": server, "skip_dominated": skip_dominated, "build_limit": build_limit,
            "collection": collection, "dask": dask,
        }  # fmt: skip
        drawn = scenario_config(scenario, model, file, query_file, metric, rows, queries, seed)
        config = resumed(opened, resume) if resume else sweep_config(drawn, **options)
        if name:
            check_run_name(name)
        run = resume or name or sweep.resumable(opened, config) or sweep.fresh_name(config)
        with writing(workspace, f"bench {run}", wait, 3) as (opened, job):
            ready = sweep.prepared(opened, config, job.progress("scenario"))
            plan = {"points": len(ready.plan.points), "seconds": round(ready.plan.seconds), "notes": ready.plan.notes}
            if dry_run:
                job.result = {"run": None, "plan": plan, "rows": []}
            else:
                sweep.sweep(opened, run, ready, job.progress("ready"), job.later("bench"))
                job.result = shown(opened, run) | {"plan": plan}
            return job.result

    def show(answer: Answer) -> None:
        for note in answer["plan"]["notes"]:
            print(note)
        if answer["run"] is None:
            print(f"{answer['plan']['points']} points, about {duration(answer['plan']['seconds'])}")
        else:
            show_run(answer)

    finish(workspace, json, body, show)


@bench_app.command("tune")
def tune(
    recall: Annotated[float, typer.Option(help="The recall@top_k to keep.")],
    p99: Annotated[float | None, typer.Option(help="The milliseconds that 99 of 100 requests may take.")] = None,
    trials: Annotated[int, typer.Option(help="How many settings are measured.")] = 20,
    scenario: ScenarioOption = "item-item",
    model: VectorsOption = DEFAULT_MODEL,
    file: FileOption = "",
    query_file: QueryFileOption = "",
    metric: MetricOption = "",
    rows: RowsOption = 0,
    queries: QueriesOption = 10_000,
    seed: DrawSeedOption = 0,
    index: Annotated[list[str] | None, typer.Option(help="An index type; may be given several times.")] = None,
    build: Annotated[list[str] | None, typer.Option(help="Values to choose from, e.g. 'M=8,16,32'.")] = None,
    search: Annotated[list[str] | None, typer.Option(help="Values to choose from; without them, all.")] = None,
    nq: Annotated[int, typer.Option(help="Queries a request.")] = 1,
    concurrency: Annotated[int, typer.Option(help="Client processes.")] = 4,
    top_k: Annotated[int, typer.Option(help="Neighbours asked for.")] = 100,
    seconds: Annotated[float, typer.Option(help="Measured at each trial.")] = 3.0,
    server: ServerOption = None,
    build_limit: Annotated[float, typer.Option(help="Seconds that an index may take to be built.")] = 1800.0,
    name: Annotated[str | None, typer.Option(help="A name for the run.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Look for the setting with the most QPS that keeps a recall, and a p99 if one is given.

    A run that was cut off goes on when the same is asked again.

    Example: python -m pipeline bench tune --recall 0.95 --p99 20 --trials 20 --scenario user-user --index HNSW
    """

    def body() -> Answer:
        from pipeline.bench.run import sweep
        from pipeline.bench.run.options import sweep_config
        from pipeline.bench.run.tune import Goal
        from pipeline.bench.run.tune import tune as search_for

        goal = Goal(recall, p99, trials)
        config = sweep_config(
            scenario_config(scenario, model, file, query_file, metric, rows, queries, seed),
            indexes=index, builds=build, searches=search, server=server, build_limit=build_limit, nq=str(nq),
            concurrency=str(concurrency), top_k=str(top_k), seconds=seconds,
        )  # fmt: skip
        same = sweep.resumable(Workspace.open(workspace), config, goal=asdict(goal))
        run = name or same or sweep.fresh_name(config, "tune")
        with writing(workspace, f"bench {run}", wait, 3) as (opened, job):
            ready = sweep.prepared(opened, config, job.progress("scenario"))
            found = search_for(opened, run, ready, goal, job.progress("ready"), job.later("tune"))
            job.result = {"run": run, "goal": asdict(goal)} | found
            return job.result

    def show(answer: Answer) -> None:
        best, nearest = answer["best"], answer["nearest"]
        if best is None:
            print(f"None of {answer['trials']} settings keeps both; the nearest:")
        table([row for row in [best or nearest] if row], [c for c in COLUMNS if c != "error"], "Nothing was measured.")
        if answer["told"]:
            print(answer["told"])
        print(f"{answer['trials']} settings are in {answer['run']}: `bench show {answer['run']}`")

    finish(workspace, json, body, show)
