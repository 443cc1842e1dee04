"""`run` and one command for each stage of the road."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, app, finish, table, writing
from pipeline.cli.evaluation import show_figures
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.stage import Done
from pipeline.core.text import duration
from pipeline.core.workspace import Workspace
from pipeline.jobs.process import Running

ClicksOption = Annotated[
    str | None,
    typer.Option("--clicks", help="A file, or a data set that `data list` names; without it, the clicks read last."),
]
FetchOption = Annotated[
    bool, typer.Option("--fetch", help="Download the data set of --clicks first, unless it is here.")
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        help="'session=…,time=…,item=…[,category=…][,date=…]': the header's names, or positions from 1 without one."
    ),
]
BadRowsOption = Annotated[
    int | None, typer.Option(help="Skip up to this many unreadable rows and list them; 0 refuses them.")
]
TimeFormatOption = Annotated[
    str | None,
    typer.Option(help="How times are written: day-first, month-first, or a pattern such as '%d.%m.%Y %H:%M'."),
]
ItemsOption = Annotated[str | None, typer.Option(help="A file of item metadata, joined by item id.")]
TestFromOption = Annotated[str | None, typer.Option(help="ISO time; sessions that end at or after it are for testing.")]
MinItemOption = Annotated[int | None, typer.Option(min=1, help="Drop items clicked less often.")]
ModelOption = Annotated[
    str, typer.Option(help="session, two_tower, dlrm to rank, or a baseline: popularity, itemknn, sr, vsknn.")
]
EpochsOption = Annotated[int | None, typer.Option(help="Passes over the training clicks.")]
BatchOption = Annotated[int | None, typer.Option(help="Examples in a batch.")]
RateOption = Annotated[float | None, typer.Option(help="Adam's step size.")]
BudgetOption = Annotated[
    float | None, typer.Option(help="Minutes that the training may take, where the model has one.")
]
SeedOption = Annotated[int | None, typer.Option(help="Random seed for the first weights and shuffling.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Another option of the model, as NAME=VALUE; may be given again.")
]
IndexOption = Annotated[str, typer.Option("--index", help="An index type: see `index types`.")]
ParamsOption = Annotated[str, typer.Option("--build", help="Build parameters, e.g. 'M=16,efConstruction=200'.")]


def _source(
    workspace: Workspace,
    clicks: str | None,
    columns: str | None,
    items: str | None,
    bad_rows: int | None,
    time_format: str | None,
) -> Any:
    from pipeline.clicks import ClickSource
    from pipeline.clicks.ingest import STAGE
    from pipeline.core.stage import need

    if clicks is None:
        return ClickSource(**need(workspace, STAGE, "name your clicks with --clicks.")["config"])
    absolute = str(Path(clicks).absolute()) if Path(clicks).exists() else clicks
    return ClickSource(absolute, columns, str(Path(items).absolute()) if items else None, bad_rows or 0, time_format)


def _fetch(clicks: str, job: Running) -> None:
    from pipeline.clicks import datasets

    report = job.progress("fetch")
    if datasets.find(clicks) is not None:
        datasets.fetch(clicks, report)


def _preprocessing(workspace: Workspace, same_clicks: bool, test_from: str | None, fewest: int | None) -> Any:
    """Take what is given; of clicks that stay the same, keep how they were split before."""
    from pipeline.sessions.preprocess import STAGE, PreprocessConfig

    manifest = workspace.manifest(STAGE) if same_clicks else None
    given = {k: v for k, v in (("test_from", test_from), ("min_item_count", fewest)) if v is not None}
    return PreprocessConfig(**(manifest["config"] if manifest else {}) | given)


def _training(
    epochs: int | None, batch_size: int | None, learning_rate: float | None, budget: float | None, seed: int | None
) -> Answer:
    """Gather the options of a training; None leaves a model's default."""
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    return options | {"budget": budget, "seed": seed}


@app.command()
def run(
    clicks: ClicksOption = None,
    columns: ColumnsOption = None,
    items: ItemsOption = None,
    fetch: FetchOption = False,
    bad_rows: BadRowsOption = None,
    time_format: TimeFormatOption = None,
    test_from: TestFromOption = None,
    min_item_count: MinItemOption = None,
    model: ModelOption = DEFAULT_MODEL,
    epochs: EpochsOption = None,
    batch_size: BatchOption = None,
    learning_rate: RateOption = None,
    budget: BudgetOption = None,
    seed: SeedOption = None,
    more: SetOption = None,
    index: IndexOption = "HNSW",
    build: ParamsOption = "",
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Run the whole pipeline, skipping what is unchanged; a trained model too, unless a training option is given.

    Example: python -m pipeline run --clicks shop --epochs 4 --index HNSW
    """

    def body() -> Answer:
        from pipeline.models.options import parse_options
        from pipeline.workflow.run import STEPS, RoadConfig, run_road

        opened = Workspace.open(workspace)
        source = _source(opened, clicks, columns, items, bad_rows, time_format)
        training = _training(epochs, batch_size, learning_rate, budget, seed) | parse_options(model, more or [])
        data = _preprocessing(opened, clicks is None, test_from, min_item_count)
        config = RoadConfig(source, data, model, training, index, build)
        config.check()
        with writing(workspace, f"run on {Path(source.clicks).name}", wait, STEPS + fetch) as (opened, job):
            if fetch:
                _fetch(source.clicks, job)
            job.result = run_road(opened, config, job)
            return job.result

    finish(workspace, json, body, _show_run)


def _show_run(answer: Answer) -> None:
    for note in answer["notes"]:
        print(note)
    print(f"{answer['clicks']:,} clicks, {answer['sessions']:,} sessions, {answer['items']:,} items")
    table(answer["stages"], ["name", "seconds", "skipped"], "")
    show_figures(answer)


def show_stage(answer: Answer) -> None:
    """Print what a stage did."""
    state = "unchanged, skipped" if answer["skipped"] else f"done in {duration(answer['seconds'])}"
    print(f"{answer['stage']}: {state}")
    for name, value in answer["metrics"].items():
        if not isinstance(value, list):
            print(f"  {name:<24} {value}")
    for note in answer["metrics"].get("notes", []):
        print(f"  {note}")


def stage_answer(done: Done) -> Answer:
    """Turn what a stage did into the answer of its command."""
    return {
        "stage": done.name,
        "skipped": done.skipped,
        "seconds": done.seconds,
        "config": done.manifest["config"],
        "metrics": done.manifest["metrics"],
    }


def _stage(workspace: Path, title: str, wait: bool, json: bool, work: Callable[[Workspace, Running], Done]) -> None:
    """Run one stage as a job; every command of a stage is this with work of its own."""

    def body() -> Answer:
        with writing(workspace, title, wait) as (opened, job):
            job.result = stage_answer(work(opened, job))
            return job.result

    finish(workspace, json, body, show_stage)


@app.command()
def ingest(
    clicks: ClicksOption = None,
    columns: ColumnsOption = None,
    items: ItemsOption = None,
    fetch: FetchOption = False,
    bad_rows: BadRowsOption = None,
    time_format: TimeFormatOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Read clicks into one canonical table.

    Example: python -m pipeline ingest --clicks log.csv --columns session=sid,time=ts,item=sku
    """

    def work(opened: Workspace, job: Running) -> Done:
        from pipeline.clicks.ingest import ingest as stage

        source = _source(opened, clicks, columns, items, bad_rows, time_format)
        if fetch:
            _fetch(source.clicks, job)
        return stage(opened, source, job.progress("ingest"))

    _stage(workspace, "ingest", wait, json, work)


@app.command()
def preprocess(
    test_from: TestFromOption = None,
    min_item_count: MinItemOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Split sessions by time and encode them with NVTabular.

    Example: python -m pipeline preprocess --test-from 2008-08-01
    """

    def work(opened: Workspace, job: Running) -> Done:
        from pipeline.sessions.preprocess import preprocess as stage

        return stage(opened, _preprocessing(opened, False, test_from, min_item_count), job.progress("preprocess"))

    _stage(workspace, "preprocess", wait, json, work)


@app.command()
def train(
    model: ModelOption = DEFAULT_MODEL,
    epochs: EpochsOption = None,
    batch_size: BatchOption = None,
    learning_rate: RateOption = None,
    budget: BudgetOption = None,
    seed: SeedOption = None,
    more: SetOption = None,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="Take in the clicks since the last training, in place of training anew.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Train a model; loss and recall stream out on the way.

    Example: python -m pipeline train --model session --budget 5

    Example: python -m pipeline train --model vsknn --set sample=2000
    """

    def work(opened: Workspace, job: Running) -> Done:
        from pipeline.models.options import parse_options
        from pipeline.training.train import train as stage

        options = _training(epochs, batch_size, learning_rate, budget, seed) | {"go_on": go_on}
        options |= parse_options(model, more or [])
        return stage(opened, model, options, job.progress("train", model))

    _stage(workspace, f"train {model}", wait, json, work)


@app.command()
def embed(
    model: ModelOption = DEFAULT_MODEL,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Write a model's vectors of all items and sessions.

    Example: python -m pipeline embed --model session
    """

    def work(opened: Workspace, job: Running) -> Done:
        from pipeline.vectors.embed import embed as stage

        return stage(opened, model, job.progress("embed", model))

    _stage(workspace, f"embed {model}", wait, json, work)


@app.command("map")
def map_(
    model: ModelOption = DEFAULT_MODEL,
    n_neighbors: Annotated[int, typer.Option(help="Neighbours kept together, 2 to 200.")] = 15,
    min_dist: Annotated[float, typer.Option(help="How close points may lie, 0 to 1.")] = 0.1,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Lay the items out in two dimensions with UMAP.

    Example: python -m pipeline map --n-neighbors 30
    """

    def work(opened: Workspace, job: Running) -> Done:
        from pipeline.maps.projection import MapConfig, project

        return project(opened, model, MapConfig(n_neighbors, min_dist), job.progress("map", model))

    _stage(workspace, f"map {model}", wait, json, work)
