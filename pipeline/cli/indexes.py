"""`index …`: the catalogue, and what is built from it."""

from typing import Annotated

import typer

from pipeline.cli.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, app, finish, table, writing
from pipeline.cli.stages import IndexOption, ModelOption, ParamsOption, show_stage, stage_answer
from pipeline.workspace import Workspace

index_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Indexes in Milvus.")
app.add_typer(index_app, name="index")
NameArgument = Annotated[str, typer.Argument(help="An index as `index list` names it.")]


@index_app.command("types")
def types(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the index types with their parameters.

    Example: python -m pipeline index types
    """

    def body() -> Answer:
        from pipeline.vectors.catalogue import CATALOGUE
        from pipeline.vectors.params import describe
        from pipeline.vectors.profiles import profiles
        from pipeline.vectors.support import EMBEDDED, why_not

        servers = [EMBEDDED, *(p.facts for p in profiles(Workspace.open(workspace)))]
        return {
            "types": [
                describe(entry) | {"servers": {s.name: why_not(entry, s) or "yes" for s in servers}}
                for entry in CATALOGUE.values()
            ]
        }

    def show(answer: Answer) -> None:
        for entry in answer["types"]:
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
    model: ModelOption = "two_tower",
    build: ParamsOption = "",
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Build an index of a model's vectors in Milvus.

    Example: python -m pipeline index build --index HNSW --build M=16,efConstruction=200
    """

    def body() -> Answer:
        from pipeline.index import IndexConfig, build_index
        from pipeline.vectors.catalogue import index_type
        from pipeline.vectors.params import check_build, parse_params
        from pipeline.vectors.server import connect, server_name

        config = IndexConfig(vectors, model, index_type(index).name, build, server_name())  # type: ignore[arg-type]
        check_build(index_type(index), parse_params(build))
        with (
            writing(workspace, f"index {config.name}", wait, 2) as (opened, job),
            connect(opened, f"job {job.job.id}", job.progress("milvus")) as engine,
        ):
            job.result = stage_answer(build_index(opened, config, engine, job.progress("index")))
            return job.result

    finish(workspace, json, body, show_stage)


@index_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the indexes that are built.

    Example: python -m pipeline index list --json
    """

    def body() -> Answer:
        from pipeline.index import list_indexes

        return {"indexes": list_indexes(Workspace.open(workspace))}

    columns = ["name", "index", "rows", "indexed_rows", "build_s", "stale", "note"]
    finish(workspace, json, body, lambda a: table(a["indexes"], columns, "No index is built yet: run `index build`."))


def _act(workspace: WorkspaceOption, json: bool, wait: bool, name: str, verb: str) -> None:
    def body() -> Answer:
        from pipeline import index
        from pipeline.vectors.server import connect

        action = {"load": index.load_index, "release": index.release_index, "drop": index.drop_index}[verb]
        with writing(workspace, f"index {verb} {name}", wait) as (opened, job):
            index.find_index(opened, name)
            with connect(opened, f"job {job.job.id}", job.progress("milvus")) as engine:
                action(opened, name, engine)
            job.result = {"index": name, "done": verb}
            return job.result

    done = {"load": "is loaded", "release": "is released", "drop": "is dropped"}[verb]
    finish(workspace, json, body, lambda answer: print(f"{name} {done}."))


@index_app.command("load")
def load(
    name: NameArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Load an index into the server's memory.

    Example: python -m pipeline index load items-two_tower-hnsw
    """
    _act(workspace, json, wait, name, "load")


@index_app.command("release")
def release(
    name: NameArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Take an index out of the server's memory.

    Example: python -m pipeline index release items-two_tower-hnsw
    """
    _act(workspace, json, wait, name, "release")


@index_app.command("drop")
def drop(
    name: NameArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False, wait: WaitOption = False
) -> None:
    """Remove an index for good.

    Example: python -m pipeline index drop items-two_tower-flat
    """
    _act(workspace, json, wait, name, "drop")
