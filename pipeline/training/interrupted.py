"""Trainings that were cut off: their checkpoints, `checkpoints/MODEL/KEY.npz`, and how to go on from them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.models import checkpoint
from pipeline.models.options import arguments, training_config
from pipeline.models.registry import KINDS
from pipeline.sessions import preprocess
from pipeline.store.locks import is_locked
from pipeline.store.workspace import Workspace

FOLDER = "checkpoints"


@dataclass(frozen=True)
class Interrupted:
    """A training that was cut off and can go on."""

    model: str
    passes: int
    """Whole ones, which are not repeated."""
    seconds: float
    """That it had taken."""
    validation: float | None
    """The best recall@20 on the sessions held out."""
    config: dict[str, Any]
    points: list[dict[str, float]]
    """Of the curve so far."""

    @property
    def arguments(self) -> list[str]:
        """Give the options that `train` and `run` go on with."""
        return ["--model", self.model, *arguments(self.model, self.config)]


def checkpoint_path(workspace: Workspace, model: str, config: Options) -> Path:
    """Name the checkpoint of a training by all that it depends on; raise UserError where there are no sessions."""
    manifest = workspace.manifest(preprocess.STAGE)
    if manifest is None:
        raise UserError(f"'{preprocess.STAGE}' is not there yet in {workspace.root}: run `preprocess`.")
    key = hashlib.sha256(f"{manifest['key']} {config!r}".encode()).hexdigest()[:16]
    return workspace.root / FOLDER / model / f"{key}.npz"


def forget_others(path: Path) -> None:
    """Remove the checkpoints of a model's other trainings."""
    for other in path.parent.glob("*"):
        if other != path:
            other.unlink()


def interrupted(workspace: Workspace) -> list[Interrupted]:
    """List the trainings on these sessions that were cut off after a whole pass; none while a job writes."""
    if workspace.manifest(preprocess.STAGE) is None or is_locked(workspace.root / "writer.lock"):
        return []
    files = [(name, path) for name in KINDS for path in sorted((workspace.root / FOLDER / name).glob("*.npz"))]
    return [found for name, path in files if (found := _read(workspace, name, path))]


def _read(workspace: Workspace, model: str, path: Path) -> Interrupted | None:
    """Read a checkpoint; None where it is of other sessions or of another version's settings."""
    about = checkpoint.about(path)
    if about is None:
        return None
    config = training_config(model, about.get(checkpoint.CONFIG, {}))
    if checkpoint_path(workspace, model, config) != path:
        return None
    recalls = [e["validation_recall@20"] for e in about["epochs"] if "validation_recall@20" in e]
    return Interrupted(
        model, len(about["epochs"]), about["seconds"], max(recalls, default=None), config.model_dump(), about["points"]
    )
