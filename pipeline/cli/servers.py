"""`server …`: Milvus servers of one's own, by name, and the collections that are on them."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WorkspaceOption, app, finish, table
from pipeline.core.text import percent
from pipeline.store.workspace import Workspace

server_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Milvus servers of your own, by name.")
app.add_typer(server_app, name="server")
ServerArgument = Annotated[str, typer.Argument(help="A server as `server list` names it, or 'embedded'.")]
KOption = Annotated[int, typer.Option(help="How many neighbours.")]


@server_app.command("list")
def list_(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List the servers that have a name, with what they can do.

    Example: python -m pipeline server list
    """

    def body() -> Answer:
        from pipeline.search.compatibility import EMBEDDED, supported_names
        from pipeline.search.milvus.profiles import profiles

        own = {"name": EMBEDDED.name, "uri": "started when needed", "version": EMBEDDED.version, "device": "cpu"}
        first = own | {"types": supported_names(EMBEDDED)}
        return {"servers": [first, *(asdict(p) for p in profiles(Workspace.open(workspace)))]}

    columns = ["name", "device", "version", "uri", "latency_ms", "tested"]
    finish(workspace, json, body, lambda a: table(a["servers"], columns, ""))


@server_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A name for it: small letters, digits, hyphens.")],
    uri: Annotated[str, typer.Argument(help="Where it listens, e.g. http://127.0.0.1:19530 or https://HOST.")],
    token_file: Annotated[
        str | None,
        typer.Option(help="A file with 'user:password' or an API key, '-' for stdin; without it, MILVUS_TOKEN."),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Connect to a server, test what it can do, and keep it under a name.

    Example: echo root:secret | python -m pipeline server add mine http://127.0.0.1:19530 --token-file -
    """

    def body() -> Answer:
        from pipeline.search.milvus.profiles import add as keep

        return asdict(keep(Workspace.open(workspace), name, uri, _token(token_file)))

    finish(workspace, json, body, _show)


def _token(file: str | None) -> str:
    from pipeline.core.errors import UserError

    if file is None:
        return os.environ.get("MILVUS_TOKEN", "")
    if file == "-":
        return sys.stdin.read().strip()
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise UserError(f"The token file {file} cannot be read ({error.strerror}): check its name.") from error


@server_app.command("test")
def try_(name: ServerArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Ask a server again for its version, device, index types and latency.

    Example: python -m pipeline server test mine
    """

    def body() -> Answer:
        from pipeline.search.milvus.profiles import retest

        return asdict(retest(Workspace.open(workspace), name))

    finish(workspace, json, body, _show)


@server_app.command("remove")
def remove(name: ServerArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Forget a server and its secret; what is on it stays.

    Example: python -m pipeline server remove mine
    """

    def body() -> Answer:
        from pipeline.search.milvus.profiles import remove as forget

        forget(Workspace.open(workspace), name)
        return {"removed": name}

    finish(workspace, json, body, lambda a: print(f"{a['removed']} is forgotten; what is on it stays."))


@server_app.command("look")
def look(
    name: ServerArgument,
    collection: Annotated[str | None, typer.Argument(help="A collection; without it, all are listed.")] = None,
    k: KOption = 10,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Look at the collections of a server, others' too, and query one; nothing is changed.

    Example: python -m pipeline server look mine products
    """

    def body() -> Answer:
        from pipeline.search.embedded.server import connect
        from pipeline.search.milvus import foreign

        with connect(Workspace.open(workspace), "server look", name=name) as engine:
            names = [collection] if collection else engine.collections()
            found: Answer = {"collections": [foreign.look(engine, c) for c in names]}
            if collection:
                found["sample"] = foreign.neighbours(engine, collection, k)
            return found

    def show(answer: Answer) -> None:
        columns = ["name", "rows", "dim", "index", "metric", "loaded"]
        table(answer["collections"], columns, "There is no collection on it.")
        if "sample" in answer:
            sample = answer["sample"]
            print(f"nearest to {sample['queries'][0]}: {', '.join(map(str, sample['answers'][0]))}")

    finish(workspace, json, body, show)


@server_app.command("compare")
def compare(
    name: ServerArgument,
    left: Annotated[str, typer.Argument(help="A collection, whose vectors are the queries.")],
    right: Annotated[str, typer.Argument(help="Another collection of vectors of the same length.")],
    k: KOption = 10,
    queries: Annotated[int, typer.Option(help="How many queries.")] = 100,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Ask two collections of a server the same queries: how many answers they share, and how quick each is.

    Example: python -m pipeline server compare mine products products_pq
    """

    def body() -> Answer:
        from pipeline.search.embedded.server import connect
        from pipeline.search.milvus import foreign

        with connect(Workspace.open(workspace), "server compare", name=name) as engine:
            return foreign.compare_collections(engine, left, right, k, queries)

    def show(answer: Answer) -> None:
        same = percent(answer["in_common"], 1)
        print(f"{same} of the {answer['k']} nearest are the same, over {answer['queries']} queries")
        for collection, milliseconds in answer["p50_ms"].items():
            print(f"  {collection}: p50 {milliseconds:.2f} ms")

    finish(workspace, json, body, show)


def _show(answer: Answer) -> None:
    for key in ("name", "uri", "version", "device", "latency_ms", "note", "tested"):
        if answer[key]:
            print(f"{key:<11} {answer[key]}")
    print(f"index types {', '.join(answer['types'])}")
