"""Trainings of a quick model on a few sessions."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.clicks import ClickSource
from pipeline.models.baselines.popularity import PopularityConfig
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from pipeline.training import history
from pipeline.training.train import train
from tests.made.rings import catalogue, clicks

MODEL = "itemknn"
STAGE = f"models/{MODEL}"


def write_data(workspace: Workspace, source: str = "log.csv", sessions: int = 60) -> None:
    """Write what reading and splitting clicks leaves."""

    def data(folder: Path, report: Any) -> dict[str, Any]:
        (folder / "train").mkdir()
        clicks(sessions).write_parquet(folder / "train" / "part.parquet")
        catalogue().write_parquet(folder / "items.parquet")
        return {}

    run_stage(workspace, "clicks", ClickSource(f"/somewhere/{source}"), lambda folder, report: {})
    run_stage(workspace, "data", PopularityConfig(), data, inputs=["clicks"])


def trained(workspace: Workspace, **options: Any) -> str:
    """Train, and name the training."""
    train(workspace, MODEL, options)
    return next(t.name for t in history.list_trainings(workspace) if t.in_use and t.model == MODEL)


def answered(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = CliRunner().invoke(app, ["trainings", *arguments, "--workspace", str(workspace.root), "--json"])
    return ended.exit_code, json.loads(ended.stdout.splitlines()[-1])
