"""Stage 'evaluation/NAME': how well a model recommends the next click of sessions that it has never seen."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import preprocess
from pipeline.models.metrics import evaluate as measure
from pipeline.models.sessions import next_clicks
from pipeline.names import FIRST_IDX
from pipeline.progress import Progress, silent
from pipeline.stage import Done, Metrics, run_stage
from pipeline.train import load_model, stage_name
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class EvaluateConfig:
    """Evaluation is fixed, so that figures can be compared."""


def evaluation_stage(model: str) -> str:
    """Name the stage that holds a model's figures."""
    return f"evaluation/{model}"


def evaluate(workspace: Workspace, model: str, progress: Progress = silent) -> Done:
    """Reveal each test session click by click and rank its next click over the catalogue of training."""

    def body(folder: Path, report: Progress) -> Metrics:
        loaded, catalogue = load_model(workspace, model)
        histories, items, _ = next_clicks(preprocess.load_part(workspace, "test"))
        targets = np.where(items >= FIRST_IDX, items - FIRST_IDX, -1)
        return measure(lambda rows: loaded.score(histories.take(rows)), targets, catalogue.height, report)

    inputs = [stage_name(model), preprocess.STAGE]
    return run_stage(
        workspace, evaluation_stage(model), EvaluateConfig(), body, inputs=inputs, progress=progress, revision=1
    )


def evaluations(workspace: Workspace) -> dict[str, dict[str, float]]:
    """Read every model's figures that exist: {name: {recall@10, recall@20, mrr@20, ndcg@20, coverage@20, examples}}."""
    found = {name.split("/")[-1]: workspace.manifest(name) for name in workspace.stages("evaluation")}
    return {name: manifest["metrics"] for name, manifest in found.items() if manifest}
