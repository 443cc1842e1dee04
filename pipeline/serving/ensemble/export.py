"""Stage 'ensemble': a model repository for Triton, as Merlin's `Ensemble.export` writes it, and what belongs to it.

models/          the repository: executor_model (the chain) and a model a network of TensorFlow
No address and no token is in it: the operators read them when they are loaded.
"""

import hashlib
import tempfile
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from pipeline.core.progress import Progress, part, silent
from pipeline.core.project import PROJECT
from pipeline.indexes.registry import index_stage
from pipeline.serving.features.fill import fill
from pipeline.serving.features.repository import YAML, apply, repository_folder
from pipeline.serving.features.stage import STAGE as FEATURES
from pipeline.serving.features.stage import features
from pipeline.serving.stages.served import ServedModel, find_served
from pipeline.store.stage import Done, Metrics, is_stale, run_stage
from pipeline.store.workspace import Workspace
from pipeline.training.train import stage_name

STAGE = "ensemble"
REPOSITORY = "models"


@dataclass(frozen=True)
class ExportConfig:
    """What is served; each part's key counts through the stage's inputs."""

    index: str
    model: str
    ranker: str | None
    candidates: int
    search: str


def prepare_features(workspace: Workspace, progress: Progress = silent) -> None:
    """See that the feature repository of the sessions as they are stands and is filled."""
    features(workspace, part(progress, 0, 2))
    folder = repository_folder(workspace)
    if not (folder / YAML).exists():
        apply(workspace)
    fill(workspace, folder, "test", part(progress, 1, 2))


@cache
def operators_digest() -> str:
    """Hash the operators' code: what was pickled by another version of it may not load, or answer otherwise."""
    files = sorted((PROJECT / "pipeline" / "serving" / "operators").glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _config(served: ServedModel) -> ExportConfig:
    search = repr(sorted(served.search.items()))
    return ExportConfig(served.index["name"], str(served.index["model"]), served.ranker_name, served.candidates, search)


def exported_key(workspace: Workspace, served: ServedModel) -> str | None:
    """Give the key of the export of what is served, None where it is not exported as it is now."""
    manifest = workspace.manifest(STAGE)
    if manifest is None or is_stale(workspace, STAGE) or manifest["metrics"].get("operators") != operators_digest():
        return None
    return str(manifest["key"]) if manifest["config"] == asdict(_config(served)) else None


def export(workspace: Workspace, served: ServedModel, progress: Progress = silent) -> Done:
    """Write the model repository of what is served; nothing happens where it stands already."""
    model, config = str(served.index["model"]), _config(served)

    def body(folder: Path, report: Progress) -> Metrics:
        report(0, 3, "loading Merlin")
        from pipeline.serving.ensemble.build import build

        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            report(1, 3, "building the ensemble")
            ensemble = build(served, workspace.stage(stage_name(model)).resolve(), Path(scratch))
            report(2, 3, "writing the model repository")
            ensemble.export(str(folder / REPOSITORY))
        names = sorted(path.name for path in (folder / REPOSITORY).iterdir())
        return {
            "stages": served.stages,
            "models": names,
            "training": served.known.key,
            "collection": served.index["collection"],
            "server": served.index["server"],
            "features": served.repository.name,
            "operators": operators_digest(),
        }

    inputs = [stage_name(model), index_stage(served.index["name"]), FEATURES]
    inputs += [stage_name(served.ranker_name)] if served.ranker_name else []
    packages = ("merlin-systems", "merlin-core", "tensorflow-cpu", "feast")
    return run_stage(
        workspace, STAGE, config, body, inputs=inputs, source=operators_digest(), packages=packages, progress=progress
    )


def export_in_use(
    workspace: Workspace, model: str | None = None, index: str | None = None, progress: Progress = silent
) -> Done:
    """Prepare the features and export what answers for a model or through an index."""
    prepare_features(workspace, part(progress, 0, 2))
    return export(workspace, find_served(workspace, model, index), part(progress, 1, 2))
