"""Files and folders that a person names to be written: checked before the work begins, written whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.store.workspace import disk_trouble


def check_target(target: Path, replace: bool, suffixes: Sequence[str] = (), folder: bool = False) -> None:
    """Raise UserError where a file or a `folder` cannot be written, or is there and shall not be `replace`d."""
    if suffixes and target.suffix not in suffixes:
        known = " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))
        raise UserError(f"'{target.name}' says no form, as it does not end in {known}: name it so that it does.")
    try:
        refusal = _refusal(target, replace, folder)
    except OSError as error:
        refusal = f"could not be written ({error.strerror}): name another"
    if refusal:
        raise UserError(f"{target} {refusal}.")


def _refusal(target: Path, replace: bool, folder: bool) -> str:
    """Say what stands against writing, and the way out; '' where nothing does."""
    path = _real(target)
    if not path.parent.is_dir():
        return f"could not be written, as there is no folder {path.parent}: make it first, or name another"
    if path.is_dir() and not folder:
        return "is a folder, and a file is written: name one in it"
    if path.exists() and not path.is_dir() and (folder or not path.is_file()):
        return f"is there and is no {'folder' if folder else 'regular file'}: name another"
    there = any(path.iterdir()) if path.is_dir() else path.exists()
    if there and not replace:
        return "is there already: name another, or add --force to replace it"
    probe = path.with_name(_passing())
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    probe.unlink()
    return ""


def _real(target: Path) -> Path:
    """Give the path that a link, or none, leads to."""
    return Path(os.path.realpath(target))


def _passing(suffix: str = "") -> str:
    """Name what is written until it takes its place."""
    return f".{secrets.token_hex(8)}{suffix[:16]}"


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """Give a path to write a file or a folder to, that takes the place of `target` when the block ends well.

    Of a folder that is there, only the files of the same names are replaced. Raises UserError where the disk refuses.
    """
    path = _real(target)
    beside = path.with_name(_passing(path.suffix))
    try:
        yield beside
        if beside.is_dir() and path.is_dir():
            for part in beside.iterdir():
                part.replace(path / part.name)
        else:
            beside.replace(path)
    except Exception as error:
        reason = disk_trouble(error)
        if reason is None:
            raise
        raise UserError(f"{target} could not be written ({reason}): free disk space, or name another.") from error
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
