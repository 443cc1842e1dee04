"""Where everything of one pipeline lives: a folder with a stage's output each, that appears whole or not at all.

workspace.json              the format, and an id that keeps two workspaces apart on one Milvus server
stages/NAME -> .store/…     one link a stage's output; replaced in one step, so a reader sees the old or the new
stages.lock                 held while links change, by the writer and by pages
trainings/NAME/             every training that ended, the one in use too (training/archive.py)
checkpoints/MODEL/          how far a training is that has not ended (training/interrupted.py)
jobs/ID/                    what was started, how far it is, its log (jobs/job.py)
past.json                   what each kind of work took here (jobs/past.py)
milvus/                     the embedded server's data, password and leases (search/embedded/server.py)
"""

import errno
import json
import os
import re
import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.store import strict_json
from pipeline.store.locks import locked
from pipeline.store.snapshot import forget, once

FORMAT = 1
DEFAULT_ROOT = "workspace"
WORKSPACE_VARIABLE = "CLICK_ROAD_WORKSPACE"
MANIFEST = "manifest.json"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = _FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a text so that a reader, or a kill, never meets half of it; `mode` holds from its first moment."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        forget()
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as strict JSON, whole or not at all."""
    write_text(path, strict_json.dumps(value, indent=1))


def write_secret(path: Path, secret: str) -> None:
    """Write a text that only its owner can read, whole or not at all."""
    write_text(path, secret, 0o600)


def read_json(path: Path) -> Any | None:
    """Read a JSON file, or None where there is none or it cannot be parsed."""
    try:
        return strict_json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None


def keep_newest(base: Path, current: str, count: int) -> None:
    """Remove all folders in `base` but the one called `current` and the newest others, `count` in all."""
    others = [path for path in base.iterdir() if path.is_dir() and path.name != current]
    for old in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[count - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def disk_trouble(error: BaseException) -> str | None:
    """Name what the disk refused, also when a library wraps it in an error of its own; None for any other error."""
    number = _number(error)
    return os.strerror(number) if number in _REFUSED else None


def disk_refusal(error: BaseException) -> str | None:
    """Say that the disk is full, and the way out; None for any other error: one of permissions may be a defect."""
    number = _number(error)
    if number not in _FULL:
        return None
    what = getattr(error, "filename", None) or "a file"
    return (
        f"The disk did not take {what} ({os.strerror(number)}): free disk space and start it again; what was finished "
        "before still is there."
    )


def _number(error: BaseException) -> int | None:
    """Find the kernel's number in an error, also when a library wraps it in one of its own."""
    native = re.search(r"\(os error (\d+)\)", str(error))  # as libraries written in Rust report it
    number: int | None = int(native[1]) if native else getattr(error, "errno", None)
    if number is None:  # TensorFlow's errors end with the kernel's words
        number = next((one for one in _REFUSED if str(error).rstrip().endswith(f"; {os.strerror(one)}")), None)
    return number


@dataclass(frozen=True)
class Workspace:
    """A folder that holds one pipeline, from clicks to recommendations."""

    root: Path

    @staticmethod
    def open(root: str | Path = DEFAULT_ROOT) -> "Workspace":
        """Open or make the workspace at `root`; raise UserError where that folder cannot be one."""
        path = Path(root).expanduser().absolute()
        try:
            for part in ("stages", ".store", "jobs"):
                (path / part).mkdir(parents=True, exist_ok=True)
            if not (path / "workspace.json").exists():
                write_json(path / "workspace.json", {"format": FORMAT, "id": uuid.uuid4().hex[:8]})
        except (FileExistsError, NotADirectoryError) as error:
            raise UserError(f"{path} is a file, and a workspace is a folder: name another with --workspace.") from error
        except OSError as error:
            raise UserError(
                f"The workspace {path} cannot be written ({error.strerror}): free or name another folder."
            ) from error
        workspace = Workspace(path)
        workspace._check_format()
        return workspace

    def _check_format(self) -> None:
        found = (read_json(self.root / "workspace.json") or {}).get("format")
        if found != FORMAT:
            raise UserError(
                f"The workspace {self.root} has format {found!r}, this version reads format {FORMAT}: "
                "name another folder with --workspace, or remove this one to start anew."
            )

    @cached_property
    def id(self) -> str:
        """Name this workspace on a server that others may use too."""
        return str((read_json(self.root / "workspace.json") or {})["id"])

    @property
    def prefix(self) -> str:
        """Begin the names of this workspace's collections on a server."""
        return f"ws{self.id}_"

    def stage(self, name: str) -> Path:
        """Give the folder of a stage's output, e.g. 'clicks' or 'models/two_tower'; it may not exist."""
        return self.root / "stages" / name

    def manifest(self, name: str) -> dict[str, Any] | None:
        """Read what a stage wrote about its output, or None where it has not run."""
        return once(("manifest", self.root, name), lambda: self._manifest(self.stage(name)))

    def _manifest(self, link: Path) -> dict[str, Any] | None:
        """Read it again where it was removed as we read: whoever publishes removes what was there before."""
        while True:
            before = _target(link)
            found: dict[str, Any] | None = read_json(link / MANIFEST)
            if found is not None or _target(link) == before:
                return found

    def output(self, name: str) -> str:
        """Name what a stage's output is now, unlike any before; '' where it has not run."""
        return once(("output", self.root, name), lambda: _target(self.stage(name)))

    def stages(self, prefix: str = "") -> list[str]:
        """List the stages that have an output, those under `prefix` (a folder) if one is given."""
        return list(once(("stages", self.root, prefix), lambda: self._stages(prefix)))

    def _stages(self, prefix: str) -> list[str]:
        base = self.root / "stages"
        links = (p for p in (base / prefix).rglob("*") if p.is_symlink() and not p.name.startswith("."))
        return sorted(p.relative_to(base).as_posix() for p in links if (p / MANIFEST).exists())

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a new folder that takes the place of stage `name` when the block ends well, and vanishes when not."""
        store = self.root / ".store"
        fresh = store / f"{name.replace('/', '-')}-{uuid.uuid4().hex[:12]}"
        try:
            fresh.mkdir(parents=True)
            yield fresh
            self._publish(name, fresh)
        except Exception as error:
            reason = disk_trouble(error)
            if reason is None:
                raise
            raise UserError(
                f"Stage '{name}' could not be written ({reason}: {store}): free disk space or mend the folder's "
                "permissions and start it again; what was there before still is."
            ) from error
        finally:
            if not self._is_published(name, fresh):
                shutil.rmtree(fresh, ignore_errors=True)

    def _is_published(self, name: str, folder: Path) -> bool:
        link = self.stage(name)
        return link.is_symlink() and link.resolve() == folder.resolve()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Let no stage's link change during the block, so that what is read belongs together; not reentrant."""
        with locked(self.root / "stages.lock"):
            forget()
            try:
                yield
            finally:
                forget()

    def _publish(self, name: str, fresh: Path) -> None:
        link = self.stage(name)
        link.parent.mkdir(parents=True, exist_ok=True)
        with self.still():
            before = link.resolve() if link.is_symlink() else None
            beside = link.with_name(f".{link.name}.{fresh.name}")
            beside.symlink_to(os.path.relpath(fresh, link.parent))
            beside.replace(link)
        if before is not None and before != fresh.resolve():
            shutil.rmtree(before, ignore_errors=True)

    def move(self, name: str, to: str) -> None:
        """Give a stage's output another name of the same depth, in one step.

        Raises UserError where it is gone, or where something has the other name.
        """
        assert name.count("/") == to.count("/"), (name, to)  # links are relative
        link = self.stage(to)
        link.parent.mkdir(parents=True, exist_ok=True)
        with self.still():
            if not self.stage(name).is_symlink():
                raise UserError(f"'{name}' is gone: it was dropped or restored just now; look at the list again.")
            if link.is_symlink():
                raise UserError(f"'{to}' is there already: drop that one first.")
            self.stage(name).rename(link)

    def remove(self, name: str) -> None:
        """Remove a stage's output."""
        link = self.stage(name)
        with self.still():
            target = link.resolve()
            link.unlink(missing_ok=True)
        shutil.rmtree(target, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a killed writer left behind; only the holder of the writer's lock may call this."""
        with self.still():
            links = [p for p in (self.root / "stages").rglob("*") if p.is_symlink()]
            for link in links:
                if link.name.startswith("."):
                    link.unlink()
            kept = {link.resolve() for link in links if not link.name.startswith(".")}
            left = [folder for folder in (self.root / ".store").iterdir() if folder.resolve() not in kept]
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
