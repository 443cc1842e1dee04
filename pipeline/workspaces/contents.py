"""What of a workspace goes along when it is copied or sent: what was made, not what runs or where it was served.

Left out are Milvus's and Triton's folders, jobs, the online store of features, and what points at them: indexes and the
exported ensemble, which are built anew. A copy has an id of its own, so that two never share collections on a server.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.store.workspace import Workspace

STAGES, STORE = "stages", ".store"
_WRITTEN_ONCE = ("trainings", "truth", "uploads")
_CHANGED = ("benchmarks", "checkpoints", "past.json")
_LOCKS = ("alive",)  # of a benchmark, and what ends with .lock
_ELSEWHERE = ("indexes", "ensemble", "dropped")  # stages, by the first part of their names


@dataclass(frozen=True)
class Part:
    """A file or a link of a workspace, by its path in it."""

    name: str
    path: Path
    changes: bool
    """Whether it is ever written in place, and so is copied and not linked."""


def stages_kept(workspace: Workspace) -> list[str]:
    """List the stages that go along."""
    return [name for name in workspace.stages() if name.split("/")[0] not in _ELSEWHERE]


def parts(workspace: Workspace) -> Iterator[Part]:
    """Give every file that goes along, and each stage's link before what it points to; the caller holds it still."""
    for name in stages_kept(workspace):
        link = workspace.stage(name)
        yield Part(f"{STAGES}/{name}", link, False)
        folder = link.resolve()
        yield from _files(workspace.root, folder, False)
    for name in (*_WRITTEN_ONCE, *_CHANGED):
        path = workspace.root / name
        if path.is_dir():
            yield from _files(workspace.root, path, name in _CHANGED)
        elif path.is_file():
            yield Part(name, path, name in _CHANGED)


def _files(root: Path, folder: Path, changes: bool) -> Iterator[Part]:
    for parent, _, files in os.walk(folder):
        for file in sorted(files):
            path = Path(parent) / file
            if not file.endswith(".lock") and file not in _LOCKS:
                yield Part(path.relative_to(root).as_posix(), path, changes)


def put(part: Part, target: Path) -> None:
    """Put a part at `target`: a link as a link, a file that is never changed as a hard link where the disk can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if part.path.is_symlink():
        target.symlink_to(os.readlink(part.path))
    elif part.changes:
        shutil.copy2(part.path, target)
    else:
        try:
            target.hardlink_to(part.path)
        except OSError:  # on another disk, or more links than it takes
            shutil.copy2(part.path, target)
