"""Workspaces are made, renamed, deleted and restored: each in one step, and none that something runs in."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.search.embedded import server as milvus
from pipeline.serving.triton import server as triton
from pipeline.store.locks import try_lock
from pipeline.store.workspace import Workspace
from pipeline.workspaces.places import DELETED, busy, changing, check_new, find, list_deleted

_PATIENCE_S = 20.0  # for servers to end that nobody holds


def create(opened: Path, name: str) -> Path:
    """Make an empty workspace."""
    with changing(opened):
        return Workspace.open(check_new(opened, name)).root


def rename(opened: Path, name: str, to: str) -> Path:
    """Give a workspace another name; raise UserError where something runs in it."""
    with changing(opened):
        target = check_new(opened, to)
        with _nothing_runs(_others(opened, name, "renamed")) as folder:
            folder.rename(target)
    return target


def delete(opened: Path, name: str) -> str:
    """Set a workspace aside; give the name under which `restore` brings it back."""
    with changing(opened) as home:
        trash = home / DELETED
        trash.mkdir(exist_ok=True)
        kept = next(new for n in range(1, 10_000) if not (trash / (new := f"{name}-{n}" if n > 1 else name)).exists())
        with _nothing_runs(_others(opened, name, "deleted")) as folder:
            folder.rename(trash / kept)
    return kept


def restore(opened: Path, name: str) -> Path:
    """Bring a deleted workspace back under its name."""
    with changing(opened):
        folder = _deleted(opened, name)
        target = check_new(opened, name)
        folder.rename(target)
    return target


def purge(opened: Path, name: str = "") -> list[str]:
    """Remove a deleted workspace, or all of them, for good; give their names."""
    with changing(opened):
        gone = [_deleted(opened, name)] if name else [one.path for one in list_deleted(opened)]
        for folder in gone:
            shutil.rmtree(folder)
    return [folder.name for folder in gone]


def _deleted(opened: Path, name: str) -> Path:
    there = {one.name: one.path for one in list_deleted(opened)}
    if name not in there:
        kept = f"these can be: {', '.join(there)}" if there else "none can be"
        raise UserError(f"No deleted workspace '{name}' can be restored or purged: {kept}.")
    return there[name]


def _others(opened: Path, name: str, what: str) -> Path:
    """Find a workspace that may be moved; raise UserError for the one that is open, which programs know by its path."""
    path = find(opened, name)
    if path == opened.absolute():
        raise UserError(
            f"'{name}' is the workspace that is open here and cannot be {what}: open another one, or duplicate it."
        )
    return path


@contextmanager
def _nothing_runs(path: Path) -> Iterator[Path]:
    """Hold a workspace still, its servers stopped; raise UserError where somebody uses them."""
    writer = try_lock(path / "writer.lock")
    if writer is None:
        raise UserError(f"A job runs in '{path.name}': wait for it or cancel it, then do this again.")
    try:
        _stop_servers(Workspace(path))
        yield path
    finally:
        os.close(writer)


def _stop_servers(workspace: Workspace) -> None:
    milvus.stop_server(workspace)
    triton.down(workspace)
    deadline = time.monotonic() + _PATIENCE_S
    while running := [part for part in busy(workspace.root).split(", ") if part not in ("", "a job")]:
        if time.monotonic() > deadline:
            raise UserError(
                f"{' and '.join(running)} of '{workspace.root.name}' is in use: close the pages and programs that use "
                "it, then do this again."
            )
        time.sleep(0.2)
