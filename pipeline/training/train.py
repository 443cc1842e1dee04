"""Stage 'models/NAME': sessions -> a model. A model is a folder that `load` turns into something that ranks items."""

from pathlib import Path
from typing import Any

import polars as pl

from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.models.contract import Encoder, Kind, Model, TrainingInput
from pipeline.models.options import training_config
from pipeline.models.registry import KINDS, encoder_kind, kind, retriever
from pipeline.sessions import preprocess
from pipeline.store.stage import Done, Metrics, is_stale, need, run_stage
from pipeline.store.workspace import Workspace
from pipeline.training.archive import keep_training
from pipeline.training.interrupted import checkpoint_path, forget_others

ITEMS = "items.parquet"  # a model answers by its own catalogue, also when data moved on


def stage_name(model: str) -> str:
    """Name the stage that holds a model."""
    return f"models/{model}"


def train(workspace: Workspace, model: str, options: dict[str, Any], progress: Progress = silent) -> Done:
    """Train a model on the training sessions, and keep the training; `options` replace its defaults."""
    chosen, config, stage = kind(model), training_config(model, options), stage_name(model)
    inputs = [preprocess.STAGE]
    if (retrieval := chosen.needs(config)) is not None:
        retriever(retrieval)
        inputs.append(stage_name(retrieval))

    def body(folder: Path, report: Progress) -> Metrics:
        checkpoint = checkpoint_path(workspace, model, config)
        forget_others(checkpoint)
        given = TrainingInput(
            folder,
            preprocess.load_part(workspace, "train"),
            preprocess.load_catalogue(workspace),
            config,
            report,
            checkpoint=checkpoint,
            before=workspace.stage(stage),
            retrieval=_retrieval(workspace, chosen, config),
        )
        metrics = chosen.train(given)
        given.catalogue.write_parquet(folder / ITEMS)
        return metrics | {"items": given.catalogue.height}

    keep_training(workspace, stage)  # also what an earlier version trained
    done = run_stage(
        workspace, stage, config, body, inputs=inputs, packages=chosen.packages, revision=2, progress=progress
    )
    keep_training(workspace, stage)
    return done


def load_encoder(workspace: Workspace, model: str) -> tuple[Encoder, pl.DataFrame]:
    """Read a trained model that makes vectors, and its catalogue; raise UserError for another or an untrained one."""
    chosen = encoder_kind(model)
    folder, catalogue = _stored(workspace, model)
    return chosen.load(folder, catalogue), catalogue


def load_model(workspace: Workspace, model: str) -> tuple[Model, pl.DataFrame]:
    """Read a trained model and the catalogue it ranks; raise UserError where it is not trained."""
    chosen = kind(model)
    folder, catalogue = _stored(workspace, model)
    config = training_config(model, need(workspace, stage_name(model), "run `train`.")["config"])
    return chosen.load(folder, catalogue, _retrieval(workspace, chosen, config)), catalogue


def _stored(workspace: Workspace, model: str) -> tuple[Path, pl.DataFrame]:
    """Give a trained model's folder and its catalogue."""
    need(workspace, stage_name(model), f"run `train --model {model}`, or train it on the Train page.")
    folder = workspace.stage(stage_name(model))
    return folder, pl.read_parquet(folder / ITEMS)


def _retrieval(workspace: Workspace, chosen: Kind[Any], config: Options) -> Model | None:
    """Read the model that retrieves for a ranker; None for any other model."""
    name = chosen.needs(config)
    if name is None:
        return None
    if is_stale(workspace, stage_name(name)):
        raise UserError(f"{name} was trained on other sessions: run `train --model {name}`.")
    return load_model(workspace, name)[0]


def trained(workspace: Workspace) -> list[str]:
    """List the models that are trained, in the order of `KINDS`."""
    return [name for name in KINDS if workspace.manifest(stage_name(name)) is not None]
