"""What answers through an index: the encoder and the catalogue of the training that its vectors come from.

They are kept in the index's folder as hard links (`model/`), so that its answers stay right while clicks are read and
models are trained anew: a key in the index is a place in this catalogue, and no other encoder's query fits its vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import CATEGORY, CATEGORY_IDX, CLICKS, ITEM_ID, ITEM_IDX, RESERVED, TRAIN_CLICKS
from pipeline.core.errors import UserError
from pipeline.indexes.registry import index_stage
from pipeline.models.contract import Encoder
from pipeline.models.registry import encoder_kind
from pipeline.search.exact.selection import largest
from pipeline.sessions.histories import MAX_HISTORY, Histories
from pipeline.store.workspace import MANIFEST, Workspace, read_json
from pipeline.training.archive import link_files
from pipeline.training.history import MODEL, folders
from pipeline.training.train import load_encoder, stage_name


@dataclass(frozen=True)
class KnownItems:
    """A training's encoder and catalogue, and what follows from them."""

    encoder: Encoder
    catalogue: pl.DataFrame
    key: str
    """The key of the training's stage."""

    @cached_property
    def rows(self) -> dict[str, int]:
        """Give each item's row in the catalogue, by its id as text."""
        return {item: row for row, item in enumerate(self.catalogue[ITEM_ID].cast(pl.String))}

    @cached_property
    def categories(self) -> Ints:
        """Give each item's category_idx, in the catalogue's order."""
        return self.catalogue[CATEGORY_IDX].to_numpy().astype(np.int64)

    @cached_property
    def row_of_key(self) -> dict[int, int]:
        """Give each item's row in the catalogue, by its key in an index."""
        return {int(key): row for row, key in enumerate(self.catalogue[ITEM_IDX])}

    def rows_of(self, items: Sequence[str]) -> tuple[int, ...]:
        """Give the catalogue's rows of the last clicks, oldest first; items unknown to the model are left out."""
        rows = tuple(self.rows[item] for item in items if item in self.rows)[-MAX_HISTORY:]
        if not rows:
            raise UserError("None of these items was seen in training, so there is nothing to recommend from: add one.")
        return rows

    def encode(self, items: Sequence[str]) -> Floats:
        """Encode clicks, oldest first, to a (1, dim) query; items unknown to the model are left out."""
        return self.encode_rows(self.rows_of(items))

    def encode_rows(self, rows: Sequence[int]) -> Floats:
        """Encode clicks that are rows of the catalogue, oldest first, to a (1, dim) query."""
        clicked = self.catalogue[list(rows)]
        histories = Histories(
            clicked[ITEM_IDX].to_numpy(), clicked[CATEGORY_IDX].to_numpy(), np.array([0]), np.array([len(rows)])
        )
        return self.encoder.encode(histories)

    def exact(self, vector: Floats, k: int) -> list[str]:
        """Give the k items that score best after a history of this (1, dim) vector, of equal ones the first."""
        scores = vector @ self.encoder.vectors.T
        best = largest(scores, min(k, scores.shape[1]))[1][0]
        return self.catalogue[ITEM_ID][best[best >= 0]].cast(pl.String).to_list()

    def describe(self, item: str) -> dict[str, Any]:
        """Give what is known of an item; only its id where training has not seen it."""
        return self.item(self.rows[item]) if item in self.rows else {ITEM_ID: item}

    def item(self, row: int) -> dict[str, Any]:
        """Describe an item: id, category, and all the metadata that came with it.

        Metadata that an earlier version took under a reserved name, or nested, is left out.
        """
        known = self.catalogue.row(row, named=True)
        extra = {
            k: v
            for k, v in known.items()
            if k in (CLICKS, TRAIN_CLICKS) or not (k in RESERVED or isinstance(v, dict | list | bytes))
        }
        return {ITEM_ID: str(known[ITEM_ID]), CATEGORY: known[CATEGORY], **extra}


def in_use_now(workspace: Workspace, model: str) -> KnownItems:
    """Read the training in use as `model`; raise UserError where there is none."""
    with workspace.still():  # else encoder, catalogue and key might be of two trainings
        encoder, catalogue = load_encoder(workspace, model)
        return KnownItems(encoder, catalogue, (workspace.manifest(stage_name(model)) or {}).get("key", ""))


def kept_with(workspace: Workspace, index: dict[str, Any]) -> KnownItems:
    """Read the training that an index was built from; raise UserError where it was built again in this moment."""
    model, key = index["model"], index["training"]
    source = _find(workspace, model, key, workspace.stage(index_stage(index["name"])).resolve() / MODEL)
    if source is None:
        raise UserError(f"Index '{index['name']}' was built again just now: ask it again.")
    catalogue = pl.read_parquet(source / "items.parquet")
    return KnownItems(encoder_kind(model).load(source, catalogue), catalogue, key)


def keep_training(workspace: Workspace, model: str, folder: Path) -> str:
    """Keep in an index's folder the training that the model's vectors come from; give its key.

    Raises UserError where it is gone.
    """
    key = str((workspace.manifest(f"vectors/{model}") or {}).get("inputs", {}).get(stage_name(model)))
    source = _find(workspace, model, key)
    if source is None:
        raise UserError(
            f"The training that the vectors of {model} come from is no longer kept: run `embed --model {model}`."
        )
    link_files(source, folder / MODEL)
    return key


def _find(workspace: Workspace, model: str, key: str, *also: Path) -> Path | None:
    """Find the files of a training by its key, where the model's are, or among the trainings that are kept."""
    places = [*also, workspace.stage(stage_name(model)).resolve(), *(kept / MODEL for kept in folders(workspace))]
    return next((place for place in places if (read_json(place / MANIFEST) or {}).get("key") == key), None)
