"""A workspace is duplicated, or sent as one file and read again: whole or not at all."""

import shutil
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pipeline.clicks.download import whole_file
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.store.workspace import FORMAT, Workspace, read_json, write_json
from pipeline.workspaces.contents import parts, put
from pipeline.workspaces.places import ABOUT, FRESH, changing, check_new, find

Thing = TypeVar("Thing")


def duplicate(opened: Path, name: str, to: str, progress: Progress = silent) -> Path:
    """Copy a workspace under another name, its stages by hard links; indexes are to be built anew."""
    source = Workspace.open(find(opened, name))

    def fill(folder: Path) -> None:
        with source.still():
            for part in _counted(list(parts(source)), progress, "linking"):
                put(part, folder / part.name)

    return _appear(opened, to, fill)


def export(opened: Path, name: str, file: Path, progress: Progress = silent) -> int:
    """Write a workspace to one file and give its bytes; whatever was at `file` stays if this ends early.

    Only the workspace's writer may call this, so that no stage changes meanwhile.
    """
    source = Workspace.open(find(opened, name))
    with source.still():
        found = list(parts(source))
    with whole_file(file) as beside, tarfile.open(beside, "w") as archive:
        archive.add(source.root / ABOUT, ABOUT)
        for part in _counted(found, progress, "writing"):
            archive.add(part.path, part.name, recursive=False)
    return file.stat().st_size


def import_file(opened: Path, file: Path, name: str, progress: Progress = silent) -> Path:
    """Read a workspace that `export` wrote, under a name of one's own.

    Raises UserError for a file that is none, or that would write outside its folder.
    """
    if not file.is_file():
        raise UserError(f"There is no file {file}: name one that `workspace export` wrote.")

    def fill(folder: Path) -> None:
        try:
            with tarfile.open(file, "r:") as archive:
                for member in _counted(_members(archive), progress, "unpacking"):
                    archive.extract(member, folder, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise UserError(
                f"{file} is no exported workspace, or is damaged ({error}): name one that `workspace export` wrote."
            ) from error
        found = (read_json(folder / ABOUT) or {}).get("format")
        if found != FORMAT:
            raise UserError(f"{file} is no workspace of format {FORMAT}: name one that `workspace export` wrote.")

    return _appear(opened, name, fill)


def _members(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members = archive.getmembers()
    if not any(member.name == ABOUT for member in members):
        raise tarfile.ReadError(f"it has no {ABOUT}")
    return members


def _counted(things: list[Thing], progress: Progress, what: str) -> Iterator[Thing]:
    for number, thing in enumerate(things):
        if number % 20 == 0:
            progress(number, len(things), f"{what} {len(things):,} files")
        yield thing


def _appear(opened: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Make a workspace of what `fill` puts into a folder, with an id of its own, in one step."""
    with changing(opened) as home:
        target = check_new(opened, name)
        fresh = home / f"{FRESH}{uuid.uuid4().hex[:12]}"
        fresh.mkdir()
        with _gone_unless_done(fresh):
            fill(fresh)
            write_json(fresh / ABOUT, {"format": FORMAT, "id": uuid.uuid4().hex[:8]})
            fresh.rename(target)
    return Workspace.open(target).root


@contextmanager
def _gone_unless_done(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
