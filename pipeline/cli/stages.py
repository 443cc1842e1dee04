"""One command for each stage of the pipeline."""

from collections.abc import Callable
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
from pipeline.cli.shared.options import (
    BadRowsOption,
    BatchOption,
    BudgetOption,
    ClicksOption,
    ColumnsOption,
    DataOption,
    EpochsOption,
    FetchOption,
    ItemsOption,
    MinItemOption,
    ModelOption,
    RateOption,
    SeedOption,
    SessionGapOption,
    SetOption,
    TestFromOption,
    TimeFormatOption,
    chosen,
    download,
    preprocessing,
    source,
)
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.text import duration
from pipeline.jobs.process import Running
from pipeline.store.stage import Done
from pipeline.store.workspace import Workspace


def show_stage(answer: Answer) -> None:
    """Print what a stage did."""
    state = "unchanged, skipped" if answer["skipped"] else f"done in {duration(answer['seconds'])}"
    print(f"{answer['stage']}: {state}")
    for name, value in answer["metrics"].items():
        if not isinstance(value, list):
            print(f"  {name:<24} {value}")
    steps = answer["metrics"].get("steps")
    if isinstance(steps, list):  # what preprocessing dropped; the two-tower counts those of its training
        table(steps, ["why", "clicks", "sessions", "items"], "")
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
    session_gap: SessionGapOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Read clicks into one canonical table.

    Example: python -m pipeline ingest --clicks log.csv --columns session=sid,time=ts,item=sku
    """

    def work(opened: Workspace, job: Running) -> Done:
        from pipeline.clicks.ingest import ingest as stage

        read = source(opened, clicks, columns, items, bad_rows, time_format, session_gap)
        if fetch:
            download(read.clicks, job)
        return stage(opened, read, job.progress("ingest"))

    _stage(workspace, "ingest", wait, json, work)


@app.command()
def preprocess(
    test_from: TestFromOption = None,
    min_item_count: MinItemOption = None,
    more: DataOption = None,
    engine: Annotated[
        str, typer.Option(help="polars, or nvtabular, which writes the same and keeps a workflow.")
    ] = "polars",
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="tcp://… of a Dask cluster that NVTabular is to use; its workers see the workspace's folder."
        ),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Split sessions by time, and number their items and categories.

    Example: python -m pipeline preprocess --test-from 2008-08-01

    Example: python -m pipeline preprocess --data test_days=1 --data train_share=1/64
    """

    def work(opened: Workspace, job: Running) -> Done:
        from pipeline.sessions.preprocess import preprocess as stage

        config = preprocessing(opened, False, test_from, min_item_count, more)
        return stage(opened, config, job.progress("preprocess", engine), engine, scheduler)

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

        options = chosen(epochs, batch_size, learning_rate, budget, seed) | {"go_on": go_on}
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

        return project(opened, model, MapConfig(n_neighbors=n_neighbors, min_dist=min_dist), job.progress("map", model))

    _stage(workspace, f"map {model}", wait, json, work)
