"""`library …`: the libraries underneath the database, and what each does on the workspace's own vectors."""

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
from pipeline.cli.shared.options import IndexOption, ModelOption, ParamsOption
from pipeline.core.columns import DEFAULT_MODEL

library_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The libraries underneath the database.")
app.add_typer(library_app, name="library")


@library_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the libraries, whether each works here, and why not.

    Example: python -m pipeline library list
    """

    def body() -> Answer:
        from pipeline.search.libraries.registry import describe_libraries

        return {"libraries": describe_libraries()}

    def show(answer: Answer) -> None:
        for row in answer["libraries"]:
            print(f"{row['name']} – {row['title']} ({row['device'].upper()}): {', '.join(row['types'])}")
            print(f"  {row['reason'] or 'works here'}")

    finish(workspace, json, body, show)


@library_app.command("bench")
def bench(
    library: Annotated[str, typer.Option(help="A library as `library list` names it.")] = "faiss",
    vectors: Annotated[str, typer.Option(help="items or sessions.")] = "items",
    model: ModelOption = DEFAULT_MODEL,
    index: IndexOption = "HNSW",
    build: ParamsOption = "",
    search: Annotated[str, typer.Option(help="Search parameters, e.g. 'ef=120'.")] = "",
    metric: Annotated[str, typer.Option(help="IP, L2 or COSINE.")] = "IP",
    k: Annotated[int, typer.Option(min=1, help="Neighbours asked for.")] = 10,
    queries: Annotated[int, typer.Option(min=1, help="Session vectors to ask with, one at a time.")] = 500,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 for all.")] = 0,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Build an index with a library on the workspace's vectors, and measure build, recall and time of a query.

    Example: python -m pipeline library bench --library faiss --index HNSW --build M=16 --search ef=64 --k 10
    """

    def body() -> Answer:
        from pipeline.bench.libraries import measure_library, workspace_vectors
        from pipeline.indexes.build import IndexConfig
        from pipeline.search.params import parse_params

        chosen = IndexConfig(vectors=vectors, model=model, index=index.upper())  # type: ignore[arg-type]
        params, effort = parse_params(build), parse_params(search)
        with writing(workspace, f"library {chosen.name}", wait) as (opened, job):
            job.progress("library")
            ids, data, asked = workspace_vectors(opened, model, chosen.vectors, queries)
            measured = measure_library(
                ids, data, asked, chosen.index, params, effort, metric.upper(), k, library, threads
            )
            job.result = {"vectors": vectors, "model": model} | measured
            return job.result

    def show(answer: Answer) -> None:
        columns = ["library", "index", "threads", "rows", "dim", "k", "build_s", "recall", "p50_ms", "p95_ms"]
        table([answer], columns, "")

    finish(workspace, json, body, show)
