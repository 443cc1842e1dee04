"""`index append`, `upsert`, `delete` and `show`: rows that come and go after an index is built."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.index.build import IndexArgument, index_app
from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, finish, writing
from pipeline.cli.shared.options import BadRowsOption, ColumnsOption, TimeFormatOption
from pipeline.jobs.process import Running
from pipeline.search.engine import Database
from pipeline.store.workspace import Workspace

Index = Answer


def _change(
    root: Path,
    name: str,
    verb: str,
    wait: bool,
    json: bool,
    check: Callable[[Workspace, Index], None],
    work: Callable[[Workspace, Index, Running], Callable[[Database], Answer]],
) -> None:
    """Change an index as a job: `check` before it begins, `work` gives what is done once the server answers."""

    def body() -> Answer:
        from pipeline.indexes.registry import find_index
        from pipeline.indexes.update import counts
        from pipeline.search.embedded.server import connect

        found = find_index(Workspace.open(root), name)
        check(Workspace.open(root), found)
        with writing(root, f"index {verb} {name}", wait, 2) as (opened, job):
            index = find_index(opened, name)
            check(opened, index)  # again: a job that it queued behind may have trained or built anew
            act = work(opened, index, job)
            with connect(opened, f"job {job.job.id}", job.progress("milvus"), index["server"]) as engine:
                job.result = {"index": name, **act(engine), **counts(index, engine)}
            return job.result

    finish(root, json, body, _show)


def _show(answer: Answer) -> None:
    said = {
        "new": "new",
        "replaced": "replaced",
        "taken_out": "taken out",
        "skipped": "sessions skipped, as the model knows none of their items",
    }
    done = ", ".join(f"{answer[key]:,} {words}" for key, words in said.items() if key in answer)
    print(f"{answer['index']}: {done}; it holds {answer['count']:,} rows.")
    if answer.get("not_there"):
        print(f"Not there: {', '.join(answer['not_there'])}.")


@index_app.command("append")
def append(
    name: IndexArgument,
    clicks: Annotated[str, typer.Option("--clicks", help="A file, or a data set that `data list` names.")],
    columns: ColumnsOption = None,
    bad_rows: BadRowsOption = None,
    time_format: TimeFormatOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Add the sessions of a click log, encoded by the query tower; those already there are replaced.

    Items that the model does not know are left out; sessions of no others are skipped and counted.

    Example: python -m pipeline index append sessions-session-hnsw --clicks today.csv
    """

    def work(opened: Workspace, index: Index, job: Running) -> Callable[[Database], Answer]:
        from pipeline.clicks import ClickSource
        from pipeline.indexes.update import put_rows
        from pipeline.indexes.update_input import read_sessions

        source = ClickSource(clicks, columns, bad_rows=bad_rows or 0, time_format=time_format)
        ids, vectors, left_out = read_sessions(opened, index["model"], source)
        report = job.progress("append")
        return lambda engine: put_rows(opened, index, ids, vectors, None, engine, report) | left_out

    def check(opened: Workspace, index: Index) -> None:
        from pipeline.indexes.update import check_sessions

        check_sessions(opened, index)

    _change(workspace, name, "append", wait, json, check, work)


@index_app.command("upsert")
def upsert(
    name: IndexArgument,
    file: Annotated[Path, typer.Option("--file", help="Parquet: id, vector, and what the index has of other columns.")],
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Add vectors from a file, or replace those that have the same ids.

    Columns that the file lacks keep their values; in new rows they are empty or 0, and a price is unknown.

    Example: python -m pipeline index upsert items-session-hnsw --file items.parquet
    """

    def work(opened: Workspace, index: Index, job: Running) -> Callable[[Database], Answer]:
        from pipeline.indexes.update import kinds, put_rows
        from pipeline.indexes.update_input import check_training, read_rows

        report = job.progress("upsert")

        def act(engine: Database) -> Answer:
            ids, vectors, given = read_rows(file, index["dim"], kinds(engine, index))
            check_training(file, index)
            return put_rows(opened, index, ids, vectors, given, engine, report)

        return act

    def check(opened: Workspace, index: Index) -> None:
        from pipeline.indexes.update import check_items

        check_items(index)

    _change(workspace, name, "upsert", wait, json, check, work)


@index_app.command("delete")
def delete(
    name: IndexArgument,
    ids: Annotated[list[str], typer.Option("--ids", help="Ids, separated by commas; may be given again.")],
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Remove rows from an index by their ids; ids that do not exist are listed.

    A value that is an id as it stands, with its commas, is that id: give --ids once for each such id.

    Example: python -m pipeline index delete items-session-hnsw --ids A13,B4
    """

    def work(opened: Workspace, index: Index, job: Running) -> Callable[[Database], Answer]:
        from pipeline.indexes.update import called, take_out

        return lambda engine: take_out(opened, index, called(index, ids, engine), engine)

    def check(opened: Workspace, index: Index) -> None:
        from pipeline.core.errors import UserError
        from pipeline.core.ids import parts
        from pipeline.indexes.update import check_columns

        check_columns(index)
        if not any(map(parts, ids)):
            raise UserError(f"--ids '{','.join(ids)}' names no id: give one or more, separated by commas.")

    _change(workspace, name, "delete", wait, json, check, work)


@index_app.command("show")
def show(name: IndexArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Show everything known about an index, with its rows as the server counts them.

    Example: python -m pipeline index show items-session-hnsw --json
    """

    def body() -> Answer:
        from pipeline.indexes.registry import find_index
        from pipeline.indexes.update import show as known
        from pipeline.search.embedded.server import connect

        opened = Workspace.open(workspace)
        index = find_index(opened, name)
        with connect(opened, "index show", name=index["server"]) as engine:
            return known(index, engine)

    def lines(answer: Answer) -> None:
        for key, value in answer.items():
            print(f"{key:<16} {value}")

    finish(workspace, json, body, lines)
