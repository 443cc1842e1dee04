"""Options that several commands share, and what is made of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.shared.base import Answer
from pipeline.jobs.process import Running
from pipeline.store.workspace import Workspace

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
        help="'session=…,time=…,item=…[,category=…][,date=…]': the header's names, or positions from 1 without one; "
        "user=… where the log has no sessions."
    ),
]
BadRowsOption = Annotated[
    int | None, typer.Option(help="Skip up to this many unreadable rows and list them; 0 refuses them.")
]
TimeFormatOption = Annotated[
    str | None,
    typer.Option(help="How times are written: day-first, month-first, or a pattern such as '%d.%m.%Y %H:%M'."),
]
SessionGapOption = Annotated[
    float | None,
    typer.Option(help="Minutes without a click that end a session; 30 where --columns has user=… and no session."),
]
ItemsOption = Annotated[str | None, typer.Option(help="A file of item metadata, joined by item id.")]
TestFromOption = Annotated[str | None, typer.Option(help="ISO time; sessions that end at or after it are for testing.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data", help="Another option of preprocessing, as NAME=VALUE (see `data options`); may be repeated."
    ),
]
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


def source(
    workspace: Workspace,
    clicks: str | None,
    columns: str | None,
    items: str | None,
    bad_rows: int | None,
    time_format: str | None,
    session_gap: float | None,
) -> Any:
    """Give what --clicks names, as a source; without it, the clicks read last."""
    from pipeline.clicks import ClickSource
    from pipeline.clicks.ingest import STAGE
    from pipeline.store.stage import need

    if clicks is None:
        return ClickSource(**need(workspace, STAGE, "name your clicks with --clicks.")["config"])
    absolute = str(Path(clicks).absolute()) if Path(clicks).exists() else clicks
    metadata = str(Path(items).absolute()) if items else None
    return ClickSource(absolute, columns, metadata, bad_rows or 0, time_format, session_gap)


def download(clicks: str, job: Running) -> None:
    """Download a data set that has a name, unless it is here."""
    from pipeline.clicks import datasets

    report = job.progress("fetch")
    if datasets.find_data_set(clicks) is not None:
        datasets.fetch(clicks, report)


def preprocessing(
    workspace: Workspace, same_clicks: bool, test_from: str | None, fewest: int | None, more: list[str] | None
) -> Any:
    """Take what is given; of clicks that stay the same, keep how they were split before."""
    from pipeline.sessions.config import BOUNDARIES, PreprocessConfig, read_options
    from pipeline.sessions.preprocess import STAGE

    manifest = workspace.manifest(STAGE) if same_clicks else None
    given = {k: v for k, v in (("test_from", test_from), ("min_item_count", fewest)) if v is not None}
    given |= read_options(more or [])
    before = manifest["config"] if manifest else {}
    if given.keys() & BOUNDARIES:  # a boundary takes the place of the one before, whichever way it was said
        before = {name: value for name, value in before.items() if name not in BOUNDARIES}
    return PreprocessConfig(**before | given)


def chosen(
    epochs: int | None, batch_size: int | None, learning_rate: float | None, budget: float | None, seed: int | None
) -> Answer:
    """Gather the options of a training; None leaves a model's default."""
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    return options | {"budget": budget, "seed": seed}
