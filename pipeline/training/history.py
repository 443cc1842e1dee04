"""Every training that ended, as it is kept after the next one took its place; archive.py keeps, uses and deletes.

trainings/NAME/model/        the stage as its training left it: hard links, so it takes no room while it is in use
trainings/NAME/about.json    the clicks that it learned from
trainings/NAME/tested.json   its figures on the test sessions, once it was evaluated
trainings/.deleted/NAME/     what was deleted on the page, until that is confirmed
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.models.options import changed
from pipeline.models.registry import KINDS
from pipeline.sessions import preprocess
from pipeline.store.workspace import MANIFEST, Workspace, read_json

FOLDER, DELETED = "trainings", ".deleted"
MODEL, ABOUT, TESTED = "model", "about.json", "tested.json"


@dataclass(frozen=True)
class Training:
    """A training as its folder tells it."""

    name: str
    model: str
    in_use: bool
    """It is what the model's name stands for now."""
    current: bool
    """It learned from the sessions as they are now, so that it can be used."""
    started: str
    """ISO time."""
    seconds: float
    epochs: int | None
    """Passes that it made; None for what makes none."""
    best_epoch: int | None
    options: dict[str, Any]
    """Those that differ from the defaults."""
    validation: dict[str, float]
    """Figures on the sessions held out of training: recall@20, and others that the model has."""
    tested: dict[str, float]
    """Figures on the test sessions; empty until it is evaluated."""
    data: str
    """The clicks that it learned from, '' where they are not known."""
    bytes: int
    note: str


def list_trainings(workspace: Workspace) -> list[Training]:
    """List the trainings that are kept, newest first."""
    return _listed(workspace, folders(workspace))


def deleted(workspace: Workspace) -> list[Training]:
    """List what has been deleted and can still be restored."""
    return _listed(workspace, folders(workspace, DELETED))


def find_training(workspace: Workspace, name: str) -> Training:
    """Find a training by its name, or raise UserError."""
    known = {training.name: training for training in list_trainings(workspace)}
    if name not in known:
        names = ", ".join(list(known)[:5]) or "none yet; `train` makes one"
        raise UserError(f"There is no training '{name}': the newest are {names}.{did_you_mean(name, known)}")
    return known[name]


def curve_file(workspace: Workspace, name: str) -> Path | None:
    """Give the Parquet file of a training's curve; None for a model that has none."""
    path = base(workspace) / name / MODEL / "curve.parquet"
    return path if path.exists() else None


def base(workspace: Workspace) -> Path:
    """Give the folder that holds a folder for each training."""
    return workspace.root / FOLDER


def folders(workspace: Workspace, part: str = "") -> list[Path]:
    """List the folders of trainings, those under `part` if one is given."""
    there = base(workspace) / part
    return [p for p in there.iterdir() if not p.name.startswith(".")] if there.exists() else []


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a kept training, or None where it is gone."""
    return read_json(folder / MODEL / MANIFEST)


def _listed(workspace: Workspace, found: list[Path]) -> list[Training]:
    read = [training for folder in found if (training := _read(workspace, folder))]
    return sorted(read, key=lambda training: (training.started, training.name), reverse=True)


def _read(workspace: Workspace, folder: Path) -> Training | None:
    manifest = manifest_of(folder)
    if manifest is None:
        return None
    model, metrics = manifest["stage"].split("/")[-1], manifest["metrics"]
    started = datetime.fromisoformat(manifest["created"]) - timedelta(seconds=manifest["seconds"])
    data = workspace.manifest(preprocess.STAGE)
    return Training(
        name=folder.name,
        model=model,
        in_use=workspace.manifest(manifest["stage"]) == manifest,
        current=data is not None and manifest["inputs"].get(preprocess.STAGE) == data["key"],
        started=started.isoformat(timespec="seconds"),
        seconds=manifest["seconds"],
        epochs=len(metrics["epochs"]) if "epochs" in metrics else None,
        best_epoch=metrics.get("best_epoch"),
        options=changed(model, manifest["config"]) if model in KINDS else manifest["config"],
        validation={k.removeprefix("validation_"): v for k, v in metrics.items() if k.startswith("validation_")},
        tested=read_json(folder / TESTED) or {},
        data=(read_json(folder / ABOUT) or {}).get("data", ""),
        bytes=manifest["bytes"],
        note=metrics.get("note", ""),
    )
