"""What operators read beside the ensemble: the training that the index was built from, once a process."""

import shutil
from functools import cache
from pathlib import Path

import polars as pl

from pipeline.indexes.known import KnownItems
from pipeline.models.registry import encoder_kind

ENCODER, RANKER = "encoder", "ranker"


def save_encoder(source: Path, artifacts: Path) -> None:
    """Copy a model's files and its catalogue."""
    shutil.copytree(source, artifacts / ENCODER, dirs_exist_ok=True)


@cache
def load_known(artifacts: Path, model: str) -> KnownItems:
    """Read encoder and catalogue."""
    folder = artifacts / ENCODER
    catalogue = pl.read_parquet(folder / "items.parquet")
    return KnownItems(encoder_kind(model).load(folder, catalogue), catalogue, "")
