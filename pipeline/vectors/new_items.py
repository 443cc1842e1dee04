"""Vectors of items that nobody has clicked yet, by what is known of them."""

from pathlib import Path
from typing import Any

import polars as pl

from pipeline.clicks.files import reader
from pipeline.clicks.metadata import usable_metadata
from pipeline.core.columns import ITEM_ID
from pipeline.core.errors import UserError
from pipeline.models.contract import KnowsFeatures
from pipeline.models.registry import KINDS, kind
from pipeline.store.outputs import written
from pipeline.store.stage import need
from pipeline.store.workspace import Workspace
from pipeline.training.train import stage_name
from pipeline.vectors.embed import write_vectors


def describe_items(workspace: Workspace, model: str, file: Path, to: Path) -> dict[str, Any]:
    """Write (id, vector) of the items in `file`, without those of which nothing is known that training has seen."""
    chosen = kind(model)
    if not isinstance(chosen, KnowsFeatures):
        able = " or ".join(name for name, other in KINDS.items() if isinstance(other, KnowsFeatures))
        raise UserError(f"Model '{model}' knows items by their clicks alone: choose {able}.")
    training = need(workspace, stage_name(model), f"run `train --model {model}`.")["key"]
    items, _ = usable_metadata(reader.read_items(file))
    vectors, known = chosen.describe(workspace.stage(stage_name(model)), items)
    some = known > 0
    if not some.any():
        raise UserError(f"{file} has none of the columns that training used: add them.")
    with written(to) as path:
        write_vectors(path, items[ITEM_ID].cast(pl.String).filter(pl.Series(some)), vectors[some], training)
    return {"file": str(to), "items": int(some.sum()), "left_out": int((~some).sum()), "dim": vectors.shape[1]}
