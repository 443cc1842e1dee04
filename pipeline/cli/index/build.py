"""`index …`: the catalogue, and what is built from it."""

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
from pipeline.cli.shared.options import IndexOption, ParamsOption
from pipeline.cli.stages import show_stage, stage_answer
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.store.workspace import Workspace

index_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Indexes in Milvus.")
app.add_typer(index_app, name="index")
SearchOption = Annotated[str, typer.Option(help="Search parameters to use it with, e.g. 'ef=120'.")]
UseOption = Annotated[bool, typer.Option("--use", help="Use it for recommendations once it is built.")]
EarlierUseOption = Annotated[bool, typer.Option("--serve", hidden=True, help="As --use, which it was called before.")]
IndexArgument = Annotated[str, typer.Argument(help="An index as `index list` names it.")]


@index_app.command("types")
def types(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/indexes.md.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """List the index types with their parameters.

    Example: python -m pipeline index types
    """

    def body() -> Answer:
        from pipeline.search.catalogue import CATALOGUE
        from pipeline.search.compatibility import EMBEDDED, why_not
        from pipeline.search.manual import manual
        from pipeline.search.milvus.profiles import profiles
        from pipeline.search.params import describe_index_type

        if markdown:
            return {"markdown": manual()}
        servers = [EMBEDDED, *(p.facts for p in profiles(Workspace.open(workspace)))]
        return {
            "types": [
                describe_index_type(entry) | {"servers": {s.name: why_not(entry, s) or "yes" for s in servers}}
                for entry in CATALOGUE.values()
            ]
        }

    def show(answer: Answer) -> None:
        if markdown:
            print(answer["markdown"], end="")
        for entry in answer.get("types", []):
            print(f"{entry['name']} ({entry['device'].upper()}, {entry['family']}): {entry['summary']}")
            print(f"  {entry['when_to_use']}")
            for when in ("build", "search"):
                for p in entry[when]:
                    print(f"  {when:<6} {p['name']} {_range(p)}: {p['meaning']} {p['effect']}")
            for server, answer_ in entry["servers"].items():
                print(f"  on {server}: {answer_}")

    finish(workspace, json, body, show)


def _range(param: Answer) -> str:
    if param["kind"] in ("bool", "choice"):
        return ", ".join(param["choices"]) or "true or false"
    return f"{param['low']:g}–{param['high']:,}"


@index_app.command("build")
def build(
    index: IndexOption = "HNSW",
    vectors: Annotated[str, typer.Option(help="items or sessions.")] = "items",
    model: Annotated[str, typer.Option(help="A model, or vectors as `vectors list` names them.")] = DEFAULT_MODEL,
    build: ParamsOption = "",
    server: Annotated[str | None, typer.Option(help="A server as `server list` names it.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="IP, L2 or COSINE; without it, as the vectors were imported, IP for a model's.")
    ] = None,
    label: Annotated[
        str, typer.Option(help="Part of the index's name, so that two of a type stand side by side.")
    ] = "",
    use: UseOption = False,
    serve: EarlierUseOption = False,
    search: SearchOption = "",
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Build an index of a model's vectors in Milvus.

    Example: python -m pipeline index build --index HNSW --build M=16,efConstruction=200
    """

    def body() -> Answer:
        from pipeline.core.errors import UserError
        from pipeline.indexes.build import IndexConfig, build_index, index_name
        from pipeline.indexes.registry import index_in_use, use_index
        from pipeline.search.catalogue import index_type
        from pipeline.search.compatibility import why_not
        from pipeline.search.embedded.server import connect, server_facts, server_name
        from pipeline.search.params import check_build, parse_params, validate_search
        from pipeline.store.stage import need
        from pipeline.vectors.embed import vectors_stage, way_to_vectors
        from pipeline.vectors.imported import default_metric

        name = server or server_name()
        compared = metric or default_metric(Workspace.open(workspace), model)
        config = IndexConfig(
            vectors=vectors,  # type: ignore[arg-type]
            model=model,
            index=index_type(index).name,
            params=build,
            server=name,
            metric=compared,
            label=label,
        )
        called = index_name(Workspace.open(workspace), config)
        check_build(index_type(index), parse_params(build))
        if (use or serve) and vectors != "items":
            raise UserError("Only an index of items can be used: leave --use out, or choose --vectors items.")
        validate_search(index_type(index), parse_params(build), parse_params(search), 1)
        if "://" not in name and (reason := why_not(index_type(index), server_facts(Workspace.open(workspace), name))):
            raise UserError(reason)
        need(
            Workspace.open(workspace), vectors_stage(model), way_to_vectors(model)
        )  # before a server is started for it
        with (
            writing(workspace, f"index {called}", wait, 2) as (opened, job),
            connect(opened, f"job {job.job.id}", job.progress("milvus"), name) as engine,
        ):
            can = server_facts(opened, name, engine)
            job.result = stage_answer(build_index(opened, config, engine, job.progress("index", learns=False), can))
            if use or serve:
                use_index(opened, called, search)
            if vectors == "items":
                job.result["in_use"] = index_in_use(opened, model)["name"]
            return job.result

    def show(answer: Answer) -> None:
        show_stage(answer)
        if (used := answer.get("in_use")) and f"indexes/{used}" != answer["stage"]:
            print(f"  Recommendations still come from {used}: `index use NAME` chooses this one.")

    finish(workspace, json, body, show)


@index_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the indexes that are built.

    Example: python -m pipeline index list --json
    """

    def body() -> Answer:
        from pipeline.indexes.registry import dropped, list_indexes

        opened = Workspace.open(workspace)
        return {"indexes": list_indexes(opened), "dropped": dropped(opened)}

    columns = [
        "name",
        "index",
        "count",
        "added",
        "deleted",
        "freshness",
        "build_s",
        "recall@10",
        "recall@100",
        "p50_ms",
        "memory_bytes",
        "stale",
        "note",
    ]

    def show(answer: Answer) -> None:
        table(answer["indexes"], columns, "No index is built yet: run `index build`.")
        for row in answer["dropped"]:
            print(f"set aside: {row['name']}, of {row['created']}; `index drop {row['name']} --aside {row['aside']}`")

    finish(workspace, json, body, show)


@index_app.command("use")
@index_app.command("serve", hidden=True)  # as it was called before
def use(
    name: IndexArgument, search: SearchOption = "", workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False
) -> None:
    """Use an index for queries that name none, with its own search parameters; nothing is rebuilt.

    Example: python -m pipeline index use items-session-hnsw --search ef=120
    """

    def body() -> Answer:
        from pipeline.indexes.registry import use_index

        use_index(Workspace.open(workspace), name, search)
        return {"index": name, "search": search, "done": "use"}

    finish(workspace, json, body, lambda answer: print(f"{name} is in use from now on."))


def _act(workspace: Path, json: bool, wait: bool, name: str, verb: str, aside: int | None = None) -> None:
    def body() -> Answer:
        from pipeline.indexes import registry
        from pipeline.search.embedded.server import connect

        opened = Workspace.open(workspace)
        found = registry.to_drop(opened, name, aside)
        with writing(workspace, f"index {verb} {name}", wait) as (opened, job):
            with connect(opened, f"job {job.job.id}", job.progress("milvus"), found["server"]) as engine:
                if verb == "drop":
                    registry.drop_index(opened, name, engine, aside)
                else:
                    {"load": registry.load_index, "release": registry.release_index}[verb](opened, name, engine)
            job.result = {"index": name, "done": verb}
            return job.result

    done = {"load": "is loaded", "release": "is released", "drop": "is dropped for good"}[verb]
    which = f", number {aside} of those set aside," if aside is not None else ""
    finish(workspace, json, body, lambda answer: print(f"{name}{which} {done}."))


@index_app.command("load")
def load(
    name: IndexArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Load an index into the server's memory.

    Example: python -m pipeline index load items-session-hnsw
    """
    _act(workspace, json, wait, name, "load")


@index_app.command("release")
def release(
    name: IndexArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Take an index out of the server's memory.

    Example: python -m pipeline index release items-session-hnsw
    """
    _act(workspace, json, wait, name, "release")


@index_app.command("drop")
def drop(
    name: IndexArgument,
    aside: Annotated[
        int | None, typer.Option(help="The number of one that is set aside, in place of the one that is built.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Remove an index for good; `index list` also shows those set aside on the Index page, with their numbers.

    Example: python -m pipeline index drop items-session-flat
    """
    _act(workspace, json, wait, name, "drop", aside)
