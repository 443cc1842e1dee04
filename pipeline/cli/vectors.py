"""`vectors …`: what can be indexed, and vectors of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared.base import (
    WORKSPACE,
    Answer,
    ForceOption,
    JsonOption,
    WaitOption,
    WorkspaceOption,
    app,
    finish,
    table,
    writing,
)
from pipeline.cli.stages import show_stage, stage_answer
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.store.workspace import Workspace

vectors_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Vectors: a model's, and your own.")
app.add_typer(vectors_app, name="vectors")


@vectors_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help=".npy, .npz, Parquet, CSV, or ann-benchmarks' HDF5.")],
    name: Annotated[str, typer.Option(help="What `index build --model NAME` shall call them.")],
    metric: Annotated[
        str, typer.Option(help="IP, L2 or COSINE, for indexes that do not say; without it, what HDF5 says, or IP.")
    ] = "",
    columns: Annotated[
        str, typer.Option(help="Of Parquet or CSV: 'id=sku,vector=embedding' or 'id=sku,vector=f*'.")
    ] = "",
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Import your own vectors, to index them as a model's.

    Parquet and CSV need a column 'id', and a column 'vector' of lists or the columns f0, f1, … of any one name; what
    else they hold is named and left out.

    Example: python -m pipeline vectors import embeddings.npy --name mine --metric COSINE
    """

    def body() -> Answer:
        from pipeline.vectors.imported import ImportConfig, check_vectors_name, import_vectors

        check_vectors_name(name)
        config = ImportConfig(file=str(file.absolute()), metric=metric.upper(), columns=columns)
        with writing(workspace, f"vectors import {name}", wait) as (opened, job):
            job.result = stage_answer(import_vectors(opened, name, config, job.progress("vectors")))
            return job.result

    finish(workspace, json, body, show_stage)


@vectors_app.command("describe")
def describe(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: item_id, and what is known of each item.")],
    to: Annotated[Path, typer.Option(help="The Parquet file to write, for `index upsert --file`.")],
    force: ForceOption = False,
    model: Annotated[str, typer.Option(help="A model that reads what is known of items.")] = DEFAULT_MODEL,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Write vectors of items that nobody has clicked, by their category, price and title.

    Example: python -m pipeline vectors describe new.csv --to new.parquet
    """

    def body() -> Answer:
        from pipeline.store.outputs import check_target
        from pipeline.vectors.new_items import describe_items

        check_target(to, force)
        return describe_items(Workspace.open(workspace), model, file, to)

    finish(
        workspace, json, body, lambda a: print(f"{a['items']:,} vectors in {a['file']}, {a['left_out']:,} left out.")
    )


@vectors_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the vectors that can be indexed.

    Example: python -m pipeline vectors list
    """

    def body() -> Answer:
        from pipeline.vectors.imported import list_vectors

        return {"vectors": list_vectors(Workspace.open(workspace))}

    columns = ["name", "from", "items", "sessions", "dim", "metric", "created"]
    empty = "There are no vectors yet: run `embed`, or `vectors import FILE --name NAME`."
    finish(workspace, json, body, lambda a: table(a["vectors"], columns, empty))
