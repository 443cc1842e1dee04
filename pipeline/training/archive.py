"""What is done with trainings: each that ends is kept, one is in use, others are deleted, with undo."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.clicks import ingest
from pipeline.core.errors import UserError
from pipeline.sessions import preprocess
from pipeline.store.snapshot import forget
from pipeline.store.workspace import Workspace, write_json
from pipeline.training.history import (
    ABOUT,
    DELETED,
    MODEL,
    TESTED,
    Training,
    base,
    deleted,
    find_training,
    folders,
    list_trainings,
    manifest_of,
)

KEPT = 50  # of those not in use
_FRESH, _GONE = ".fresh", ".gone"


def keep_training(workspace: Workspace, stage: str) -> None:
    """Keep what a model's stage holds, unless it is kept, and let the oldest go; only the writer may call this."""
    manifest = workspace.manifest(stage)
    if manifest is None or any(manifest_of(folder) == manifest for folder in folders(workspace)):
        return
    with _appearing(workspace, _name(workspace, manifest)) as folder:
        link_files(workspace.stage(stage), folder / MODEL)
        write_json(folder / ABOUT, {"data": _data(workspace, manifest)})
    for old in [t for t in list_trainings(workspace) if not t.in_use][KEPT:]:
        with suppress(FileNotFoundError):  # a page has just set it aside
            _remove(workspace, base(workspace) / old.name)


def keep_figures(workspace: Workspace, stage: str, figures: dict[str, Any]) -> None:
    """Keep beside a training the figures that its evaluation found."""
    manifest = workspace.manifest(stage)
    folder = next((f for f in folders(workspace) if manifest_of(f) == manifest), None)
    if folder is not None:
        write_json(folder / TESTED, figures)


def use_training(workspace: Workspace, name: str) -> Training:
    """Put a training in its model's place, so that what was made from another is stale; only the writer may call this.

    Raises UserError for one that learned from other sessions than there are now.
    """
    found, folder = find_training(workspace, name), base(workspace) / name
    manifest = manifest_of(folder) or {}
    _check(workspace, found, manifest)
    if not found.in_use:
        keep_training(workspace, manifest["stage"])  # also what an earlier version trained
        try:
            with workspace.writing(manifest["stage"]) as fresh:
                link_files(folder / MODEL, fresh)
        except FileNotFoundError as error:
            raise UserError(f"'{name}' was just deleted: restore it, or choose another.") from error
    return find_training(workspace, name)


def _check(workspace: Workspace, training: Training, manifest: dict[str, Any]) -> None:
    """Raise UserError where a training's inputs are not what the workspace has now."""
    for stage, key in manifest["inputs"].items():
        now = workspace.manifest(stage)
        if now is not None and now["key"] == key:
            continue
        if stage == preprocess.STAGE:
            raise UserError(
                f"'{training.name}' learned from other sessions ({training.data or 'unknown'}) than the workspace has "
                f"now ({_source(workspace) or 'none'}): run the pipeline on those, or choose one that learned from "
                "these."
            )
        needed = next((f.name for f in folders(workspace) if (manifest_of(f) or {}).get("key") == key), None)
        way = f"run `trainings use {needed}` first" if needed else "train it anew"
        raise UserError(
            f"'{training.name}' orders what another {stage.split('/')[-1]} retrieves than is in use now: {way}."
        )


def set_training_aside(workspace: Workspace, name: str) -> None:
    """Delete a training so that `restore_training` can undo it; raise UserError for the one in use."""
    forget()  # another may have put it in use since the page began to draw
    training = find_training(workspace, name)
    if training.in_use:
        raise UserError(f"'{name}' is in use as {training.model}: use another one first, or train anew.")
    aside = base(workspace) / DELETED
    aside.mkdir(exist_ok=True)
    (base(workspace) / name).rename(aside / name)


def restore_training(workspace: Workspace, name: str) -> None:
    """Undo `set_training_aside`."""
    try:
        (base(workspace) / DELETED / name).rename(base(workspace) / name)
    except FileNotFoundError as error:
        raise UserError(f"There is no deleted training '{name}' to restore: it is gone for good.") from error


def delete(workspace: Workspace, name: str) -> None:
    """Delete a training for good, also one that was set aside; only the writer may call this."""
    if name not in [training.name for training in deleted(workspace)]:
        set_training_aside(workspace, name)
    try:
        _remove(workspace, base(workspace) / DELETED / name)
    except FileNotFoundError as error:
        raise UserError(f"'{name}' was restored just now: delete it again if it shall go.") from error


def _remove(workspace: Workspace, folder: Path) -> None:
    """Remove a training's folder that from the first moment nobody can find; what a kill leaves goes with the next."""
    gone = base(workspace) / _GONE
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone)


def _name(workspace: Workspace, manifest: dict[str, Any]) -> str:
    """Name a training by its model and when it ended, in UTC."""
    name = f"{manifest['stage'].split('/')[-1]}-{datetime.fromisoformat(manifest['created']):%Y%m%d-%H%M%S}"
    taken = {folder.name for part in ("", DELETED) for folder in folders(workspace, part)}
    return next(n for n in (name, *(f"{name}-{i}" for i in range(2, 1000))) if n not in taken)


@contextmanager
def _appearing(workspace: Workspace, name: str) -> Iterator[Path]:
    """Give a new folder that appears under its name when the block ends well; one that a kill left is removed."""
    fresh = base(workspace) / _FRESH
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        yield fresh
        fresh.rename(base(workspace) / name)
    except OSError as error:
        raise UserError(
            f"The training could not be kept ({error.strerror}: {base(workspace)}): free disk space or mend the "
            "folder's permissions; the model is trained all the same."
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def link_files(source: Path, target: Path) -> None:
    """Make a folder of hard links to another's files; of copies where the disk knows no links."""

    def link(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(source, target, copy_function=link, dirs_exist_ok=True)


def _data(workspace: Workspace, manifest: dict[str, Any]) -> str:
    """Name the clicks that a model learned from, which are unknown when they have been replaced since."""
    now = workspace.manifest(preprocess.STAGE)
    same = now is not None and now["key"] == manifest["inputs"].get(preprocess.STAGE)
    return _source(workspace) if same else ""


def _source(workspace: Workspace) -> str:
    clicks = workspace.manifest(ingest.STAGE)
    return Path(clicks["config"]["clicks"]).name if clicks else ""
