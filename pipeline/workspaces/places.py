"""Where workspaces lie, and which there are.

FOLDER/NAME/            a workspace each; FOLDER is CLICK_ROAD_WORKSPACES, else `workspaces` beside the open one;
                        one that lies beside FOLDER is listed, too
FOLDER/.deleted/NAME/   what was deleted and can be restored
FOLDER/.fresh-…/        what is being copied or unpacked; taken away at the next change where its maker was killed
FOLDER/.lock            held by whoever changes something here
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.store.locks import is_locked, locked
from pipeline.store.workspace import Workspace, disk_trouble

HOME_VARIABLE = "CLICK_ROAD_WORKSPACES"
HOME, DELETED, FRESH = "workspaces", ".deleted", ".fresh-"
ABOUT = "workspace.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True)
class Listed:
    """A workspace as a list shows it."""

    name: str
    path: Path
    is_open: bool
    """Whether it is the one that was asked for, or that the app starts with."""
    clicks: int | None
    source: str
    """What its clicks were read from; '' where there are none."""
    stages: int
    bytes: int
    """On the disk; what two share by hard links counts for each."""
    changed: float
    """When a stage was last written, in seconds since 1970."""
    busy: str
    """What runs in it, '' where nothing does."""


def home_of(opened: Path) -> Path:
    """Give the folder of workspaces that goes with the one that is open."""
    if given := os.environ.get(HOME_VARIABLE):
        return Path(given).expanduser().absolute()
    beside = opened.absolute().parent
    return beside if beside.name == HOME else beside / HOME


def names(opened: Path) -> dict[str, Path]:
    """Give all workspaces by name, the open one first."""
    home = home_of(opened)
    beside = [home, home.parent] if home.name == HOME and HOME_VARIABLE not in os.environ else [home]
    found = {opened.name: opened.absolute()}
    for folder in beside:
        there = sorted(folder.iterdir()) if folder.is_dir() else []
        others = (path for path in there if not path.name.startswith(".") and (path / ABOUT).is_file())
        found |= {path.name: path for path in others if path.name not in found}
    return found


def find(opened: Path, name: str) -> Path:
    """Give the folder of the workspace called `name`, or raise UserError."""
    known = names(opened)
    if name not in known:
        raise UserError(
            f"There is no workspace '{name}': there are {', '.join(known)}.{did_you_mean(name, list(known))}"
        )
    return known[name]


def list_workspaces(opened: Path) -> list[Listed]:
    """List all workspaces, the open one first."""
    return [_listed(name, path, path == opened.absolute()) for name, path in names(opened).items()]


def list_deleted(opened: Path) -> list[Listed]:
    """List what was deleted and can be restored."""
    trash = home_of(opened) / DELETED
    found = sorted(path for path in trash.iterdir() if (path / ABOUT).is_file()) if trash.is_dir() else []
    return [_listed(path.name, path, False) for path in found]


def _listed(name: str, path: Path, is_open: bool) -> Listed:
    workspace = Workspace(path)
    stages = workspace.stages()
    clicks: dict[str, Any] = workspace.manifest("clicks") or {}
    changed = max((_time(workspace.stage(stage)) for stage in stages), default=_time(path / ABOUT))
    return Listed(
        name,
        path,
        is_open,
        clicks.get("metrics", {}).get("clicks"),
        Path(str(clicks.get("config", {}).get("clicks", ""))).name,
        len(stages),
        disk_use(path),
        changed,
        busy(path),
    )


def _time(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return time.time()


def disk_use(folder: Path) -> int:
    """Count the bytes that a folder takes on the disk, each file once, however many links it has."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(OSError):  # gone meanwhile
                found = os.lstat(os.path.join(parent, file))
                seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


def busy(path: Path) -> str:
    """Say what runs in a workspace, '' where nothing does."""
    running = {"a job": "writer.lock", "Milvus": "milvus/supervisor.lock", "Triton": "triton/supervisor.lock"}
    return ", ".join(what for what, lock in running.items() if is_locked(path / lock))


def check_new(opened: Path, name: str) -> Path:
    """Give the folder for a workspace to be, or raise UserError where its name cannot be taken."""
    if not _NAME.fullmatch(name):
        raise UserError(f"A workspace cannot be called '{name[:80]}': use up to 60 letters, digits, - and _.")
    if name in names(opened):
        raise UserError(f"There is a workspace '{name}' already: choose another name.")
    return home_of(opened) / name


@contextmanager
def changing(opened: Path) -> Iterator[Path]:
    """Give the folder of workspaces to the one who changes it, without what a killed one left.

    Raises UserError for what the disk refuses.
    """
    home = home_of(opened)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / ".lock"):
            for left in home.glob(f"{FRESH}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield home
    except OSError as error:
        reason = disk_trouble(error)
        if reason is None:
            raise
        raise UserError(
            f"The folder of workspaces {home} could not be written ({reason}): free disk space or mend its "
            "permissions, then do it again; no workspace was changed."
        ) from error
