"""`run`: the whole pipeline."""

from pathlib import Path

from pipeline.cli.evaluation import show_figures
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
    IndexOption,
    ItemsOption,
    MinItemOption,
    ModelOption,
    ParamsOption,
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
from pipeline.store.workspace import Workspace


@app.command()
def run(
    clicks: ClicksOption = None,
    columns: ColumnsOption = None,
    items: ItemsOption = None,
    fetch: FetchOption = False,
    bad_rows: BadRowsOption = None,
    time_format: TimeFormatOption = None,
    session_gap: SessionGapOption = None,
    test_from: TestFromOption = None,
    min_item_count: MinItemOption = None,
    data_options: DataOption = None,
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
        from pipeline.workflow.run import STEPS, RunConfig, run_pipeline

        opened = Workspace.open(workspace)
        read = source(opened, clicks, columns, items, bad_rows, time_format, session_gap)
        training = chosen(epochs, batch_size, learning_rate, budget, seed) | parse_options(model, more or [])
        data = preprocessing(opened, clicks is None, test_from, min_item_count, data_options)
        config = RunConfig(read, data, model, training, index, build)
        config.check()
        with writing(workspace, f"run on {Path(read.clicks).name}", wait, STEPS + fetch) as (opened, job):
            if fetch:
                download(read.clicks, job)
            job.result = run_pipeline(opened, config, job)
            return job.result

    finish(workspace, json, body, _show_run)


def _show_run(answer: Answer) -> None:
    for note in answer["notes"]:
        print(note)
    print(f"{answer['clicks']:,} clicks, {answer['sessions']:,} sessions, {answer['items']:,} items")
    table(answer["stages"], ["name", "seconds", "skipped"], "")
    show_figures(answer)
