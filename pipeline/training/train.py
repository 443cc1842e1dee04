"""Stage 'models/NAME': sessions -> a model. A model is a folder that `load` turns into something that ranks items."""

from pathlib import Path
from typing import Any, cast

import polars as pl

from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.stage import Done, Metrics, is_stale, need, run_stage
from pipeline.core.workspace import Workspace
from pipeline.models.options import training_config
from pipeline.models.registry import KINDS, Encoder, Kind, Model, kind, need_vectors, retrievers
from pipeline.sessions import preprocess
from pipeline.training.archive import keep_training
from pipeline.training.interrupted import checkpoint_path, forget_others


def stage_name(model: str) -> str:
    """Name the stage that holds a model."""
    return f"models/{model}"


def train(workspace: Workspace, model: str, options: dict[str, Any], progress: Progress = silent) -> Done:
    """Train a model on the training sessions, and keep the training; `options` replace its config's defaults."""
    chosen = kind(model)
    config = training_config(model, options)
    inputs = [preprocess.STAGE]
    if chosen.ranks:
        inputs.append(stage_name(config.retrieval))
        _check_retrieval(config.retrieval)

    def body(folder: Path, report: Progress) -> Metrics:
        catalogue = preprocess.load_catalogue(workspace)
        clicks = preprocess.load_part(workspace, "train")
        kept = {}
        if chosen.resumes:
            checkpoint = checkpoint_path(workspace, model, config)
            forget_others(checkpoint)
            kept = {"kept": checkpoint, "before": workspace.stage(stage_name(model))}
        retrieval = _retrieval(workspace, chosen, config)
        metrics = chosen.train(folder, clicks, catalogue, config, report, *retrieval, **kept)
        catalogue.write_parquet(
            folder / "items.parquet"
        )  # a model answers by its own catalogue, also when data moved on
        return metrics | {"items": catalogue.height}

    keep_training(workspace, stage_name(model))  # also what an earlier version trained
    done = run_stage(
        workspace,
        stage_name(model),
        config,
        body,
        inputs=inputs,
        packages=chosen.packages,
        revision=2,
        progress=progress,
    )
    keep_training(workspace, stage_name(model))
    return done


def _check_retrieval(model: str) -> None:
    """Raise UserError for a model that a ranker cannot be trained over."""
    chosen = kind(model)
    fit = " or ".join(retrievers())
    if not chosen.has_vectors:
        raise UserError(f"A ranker takes what a model with vectors retrieves; {model} has none: choose {fit}.")
    if chosen.fits_all:
        raise UserError(
            f"A ranker learns from sessions that retrieval has not learned from, and {model} learns from all of them "
            f"in its last passes: choose {fit}."
        )


def load_encoder(workspace: Workspace, model: str) -> tuple[Encoder, pl.DataFrame]:
    """Read a trained model that makes vectors, and its catalogue; raise UserError for another or an untrained one."""
    need_vectors(model)
    loaded, catalogue = load_model(workspace, model)
    return cast(Encoder, loaded), catalogue


def load_model(workspace: Workspace, model: str) -> tuple[Model, pl.DataFrame]:
    """Read a trained model and the catalogue it ranks; raise UserError where it is not trained."""
    chosen = kind(model)
    need(workspace, stage_name(model), f"run `train --model {model}`, or train it on the Train page.")
    folder = workspace.stage(stage_name(model))
    catalogue = pl.read_parquet(folder / "items.parquet")
    config = training_config(model, need(workspace, stage_name(model), "run `train`.")["config"])
    return chosen.load(folder, catalogue, *_retrieval(workspace, chosen, config)), catalogue


def _retrieval(workspace: Workspace, chosen: Kind, config: Any) -> list[Model]:
    """Read the model that retrieves for a ranker; nothing for any other model."""
    if not chosen.ranks:
        return []
    if is_stale(workspace, stage_name(config.retrieval)):
        raise UserError(f"{config.retrieval} was trained on other sessions: run `train --model {config.retrieval}`.")
    return [load_model(workspace, config.retrieval)[0]]


def trained(workspace: Workspace) -> list[str]:
    """List the models that are trained, in the order of `KINDS`."""
    return [name for name in KINDS if workspace.manifest(stage_name(name)) is not None]
