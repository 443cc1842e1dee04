"""`workspace`: several beside one another; made, copied, renamed, deleted with undo, sent as one file."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from pipeline.core.text import age, size

if TYPE_CHECKING:
    from pipeline.workspaces.places import Listed

workspace_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Workspaces beside the one that --workspace names."
)
app.add_typer(workspace_app, name="workspace")
NameArgument = Annotated[str, typer.Argument(help="A workspace, as `workspace list` names it.")]
NewArgument = Annotated[str, typer.Argument(help="The new name: letters, digits, - and _.")]
_COLUMNS = ["name", "open", "clicks", "source", "stages", "size", "changed", "busy"]


def _row(one: "Listed") -> Answer:
    return asdict(one) | {"path": str(one.path), "open": one.is_open}


def _shown(row: Answer) -> Answer:
    return row | {"size": size(row["bytes"]), "changed": age(time.time() - row["changed"])}


@workspace_app.command("list")
def workspace_list(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """List workspaces, the disk each takes, what runs in it, and those that were deleted and can be restored.

    Example: python -m pipeline workspace list
    """

    def body() -> Answer:
        from pipeline.workspaces.places import home_of, list_deleted, list_workspaces

        found = [_row(one) for one in list_workspaces(workspace)]
        return {
            "folder": str(home_of(workspace)),
            "workspaces": found,
            "deleted": [_row(one) for one in list_deleted(workspace)],
        }

    def show(answer: Answer) -> None:
        table([_shown(row) for row in answer["workspaces"]], _COLUMNS, "")
        if answer["deleted"]:
            print("\nDeleted; bring one back with `workspace restore NAME`, or end them with `workspace purge`:")
            table([_shown(row) for row in answer["deleted"]], ["name", "clicks", "source", "size"], "")
        print(f"Others lie in {answer['folder']}; work in one with --workspace FOLDER/NAME.")

    finish(workspace, json, body, show)


@workspace_app.command("create")
def workspace_create(name: NewArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Make an empty workspace.

    Example: python -m pipeline workspace create shoes
    """

    def body() -> Answer:
        from pipeline.workspaces.changes import create

        return {"name": name, "path": str(create(workspace, name))}

    finish(workspace, json, body, _show_path)


@workspace_app.command("rename")
def workspace_rename(
    name: NameArgument, to: NewArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False
) -> None:
    """Give a workspace another name, unless something runs in it.

    Example: python -m pipeline workspace rename shoes boots
    """

    def body() -> Answer:
        from pipeline.workspaces.changes import rename

        return {"name": to, "path": str(rename(workspace, name, to))}

    finish(workspace, json, body, _show_path)


@workspace_app.command("duplicate")
def workspace_duplicate(
    name: NameArgument,
    to: NewArgument,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Copy a workspace, sharing what never changes on the disk; its indexes are built anew.

    Example: python -m pipeline workspace duplicate workspace experiment
    """

    def body() -> Answer:
        from pipeline.workspaces.copies import duplicate
        from pipeline.workspaces.places import check_new, find

        check_new(workspace, to)
        with writing(find(workspace, name), f"duplicate as {to}", wait) as (_, job):
            job.result = {"name": to, "path": str(duplicate(workspace, name, to, job.progress("duplicate")))}
            return job.result

    finish(workspace, json, body, _show_path)


@workspace_app.command("delete")
def workspace_delete(name: NameArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Set a workspace aside, unless something runs in it; `workspace restore` brings it back.

    Example: python -m pipeline workspace delete boots
    """

    def body() -> Answer:
        from pipeline.workspaces.changes import delete

        return {"name": name, "restore": delete(workspace, name)}

    def show(answer: Answer) -> None:
        print(f"Deleted; bring it back with `workspace restore {answer['restore']}`.")

    finish(workspace, json, body, show)


@workspace_app.command("restore")
def workspace_restore(name: NameArgument, workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Bring a deleted workspace back.

    Example: python -m pipeline workspace restore boots
    """

    def body() -> Answer:
        from pipeline.workspaces.changes import restore

        return {"name": name, "path": str(restore(workspace, name))}

    finish(workspace, json, body, _show_path)


@workspace_app.command("purge")
def workspace_purge(
    name: Annotated[str, typer.Argument(help="A deleted workspace; without it, all of them.")] = "",
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Remove deleted workspaces for good.

    Example: python -m pipeline workspace purge boots
    """

    def body() -> Answer:
        from pipeline.workspaces.changes import purge

        return {"removed": purge(workspace, name)}

    finish(workspace, json, body, lambda answer: print(f"Removed: {', '.join(answer['removed']) or 'nothing'}."))


@workspace_app.command("export")
def workspace_export(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="The file to write, a tar archive.")],
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Write a workspace to one file, without its servers, their passwords and its indexes.

    Example: python -m pipeline workspace export workspace shoes.tar
    """

    def body() -> Answer:
        from pipeline.workspaces.copies import export
        from pipeline.workspaces.places import find

        target = file.expanduser().absolute()
        with writing(find(workspace, name), f"export to {target.name}", wait) as (_, job):
            job.result = {"file": str(target), "bytes": export(workspace, name, target, job.progress("export"))}
            return job.result

    finish(workspace, json, body, lambda answer: print(f"{answer['file']}, {size(answer['bytes'])}"))


@workspace_app.command("import")
def workspace_import(
    file: Annotated[Path, typer.Argument(help="A file that `workspace export` wrote.")],
    name: NewArgument,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Read a workspace that was exported; only take files from people you trust.

    Example: python -m pipeline workspace import shoes.tar shoes
    """

    def body() -> Answer:
        from pipeline.workspaces.copies import import_file
        from pipeline.workspaces.places import check_new

        check_new(workspace, name)
        with writing(workspace, f"import {file.name}", wait) as (_, job):
            path = import_file(workspace, file.expanduser(), name, job.progress("import"))
            job.result = {"name": name, "path": str(path)}
            return job.result

    finish(workspace, json, body, _show_path)


def _show_path(answer: Answer) -> None:
    print(f"{answer['name']}: {answer['path']}; work in it with --workspace {answer['path']}.")
