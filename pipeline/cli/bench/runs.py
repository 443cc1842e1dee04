"""`bench list`, `show`, `note`, `export`, `drop`, `data`: what was measured before, and its vectors for other tools."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.bench.base import (
    DrawSeedOption,
    FileOption,
    MetricOption,
    QueriesOption,
    QueryFileOption,
    RowsOption,
    ScenarioOption,
    VectorsOption,
    bench_app,
    scenario_config,
    show_run,
    shown,
)
from pipeline.cli.shared.base import (
    WORKSPACE,
    Answer,
    ForceOption,
    JsonOption,
    WaitOption,
    WorkspaceOption,
    finish,
    table,
    writing,
)
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.store.workspace import Workspace

RunArgument = Annotated[str, typer.Argument(help="A run as `bench list` names it.")]


@bench_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List what was measured, newest first.

    Example: python -m pipeline bench list
    """

    def body() -> Answer:
        from pipeline.bench.runs import list_runs

        return {"runs": [asdict(run) for run in list_runs(Workspace.open(workspace))]}

    columns = ["name", "status", "points", "planned", "created", "note"]
    finish(workspace, json, body, lambda a: table(a["runs"], columns, "Nothing is measured yet: run `bench`."))


@bench_app.command("show")
def show(run: RunArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Show a run's points, of one that is under way too.

    Example: python -m pipeline bench show user-user-hnsw-20250101-120000
    """
    finish(workspace, json, lambda: shown(Workspace.open(workspace), run), show_run)


@bench_app.command("export")
def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="A file that ends in .csv, .parquet or .json.")],
    force: ForceOption = False,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Write a run's points to a file.

    Example: python -m pipeline bench export user-user-hnsw-20250101-120000 --out points.csv
    """

    def body() -> Answer:
        from pipeline.bench.export import SUFFIXES
        from pipeline.bench.export import export as write
        from pipeline.store.outputs import check_target

        check_target(out, force, SUFFIXES)
        return write(Workspace.open(workspace), run, out)

    finish(workspace, json, body, lambda a: print(f"{a['rows']} points of {a['run']} are in {a['file']}"))


@bench_app.command("drop")
def drop(run: RunArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Remove a run.

    Example: python -m pipeline bench drop user-user-hnsw-20250101-120000
    """

    def body() -> Answer:
        from pipeline.bench import runs

        runs.drop(Workspace.open(workspace), run)
        return {"dropped": run}

    finish(workspace, json, body, lambda a: print(f"{a['dropped']} is removed."))


@bench_app.command("note")
def note(
    name: Annotated[str, typer.Argument(help="A run as `bench list` names it.")],
    text: Annotated[str, typer.Argument(help="What you want to remember about it; '' removes the note.")],
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Write a note on a run.

    Example: python -m pipeline bench note NAME "after the upgrade"
    """

    def body() -> Answer:
        from pipeline.bench.runs import set_note

        set_note(Workspace.open(workspace), name, text)
        return {"run": name, "note": text}

    finish(workspace, json, body, lambda answer: print(f"{name}: {text}"))


@bench_app.command("data")
def data(
    out: Annotated[Path, typer.Option(help="A file for hdf5, a folder for vectordbbench.")],
    force: ForceOption = False,
    form: Annotated[str, typer.Option(help="hdf5 (ann-benchmarks) or vectordbbench.")] = "hdf5",
    scenario: ScenarioOption = "item-item",
    model: VectorsOption = DEFAULT_MODEL,
    file: FileOption = "",
    query_file: QueryFileOption = "",
    metric: MetricOption = "",
    rows: RowsOption = 0,
    queries: QueriesOption = 10_000,
    seed: DrawSeedOption = 0,
    top_k: Annotated[int, typer.Option(min=1, help="Exact neighbours of each query.")] = 100,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Write a scenario with its exact neighbours for another benchmark tool.

    Example: python -m pipeline bench data --scenario user-user --metric COSINE --form hdf5 --out ours-64-angular.hdf5
    """

    def body() -> Answer:
        from pipeline.bench.data.files import FOLDERS, check_form, write_scenario
        from pipeline.bench.data.scenarios import prepare_scenario
        from pipeline.bench.data.truth import truth
        from pipeline.store.outputs import check_target

        check_form(form, metric.upper())
        check_target(out, force, folder=form in FOLDERS)
        config = scenario_config(scenario, model, file, query_file, metric, rows, queries, seed)
        with writing(workspace, f"bench data {scenario}", wait, 2) as (opened, job):
            drawn = prepare_scenario(opened, config, job.progress("scenario"))
            check_form(form, drawn.metric)
            best = truth(opened, drawn.vectors, drawn.queries, top_k, drawn.metric, job.progress("neighbours"))
            files = [str(path) for path in write_scenario(drawn, best, form, out)]
            job.result = {"files": files, "rows": len(drawn.vectors), "queries": len(best), "metric": drawn.metric}
            return job.result

    finish(workspace, json, body, lambda a: print("\n".join(a["files"])))
