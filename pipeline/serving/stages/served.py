"""What answers in four stages: an index with the model that made its vectors, a ranker over it, and features."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.columns import DEFAULT_MODEL, FIRST_IDX, ITEM_IDX
from pipeline.core.errors import UserError
from pipeline.indexes.known import KnownItems, in_use_now
from pipeline.indexes.registry import find_index, index_in_use, list_indexes, used_search
from pipeline.models.contract import RankerKind
from pipeline.models.dlrm.model import Ranker
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import index_type
from pipeline.search.params import Values, parse_params, validate_search
from pipeline.serving.features.repository import find_repository
from pipeline.store.stage import is_stale
from pipeline.store.workspace import Workspace
from pipeline.training.train import load_model, stage_name

CANDIDATES = 100  # retrieved for a session, as published


@dataclass(frozen=True, eq=False)
class ServedModel:
    """Parts that belong together; made by `find_served`, which refuses any others."""

    index: dict[str, Any]
    """As the registry lists it."""
    search: Values
    """Search parameters for `candidates`."""
    known: KnownItems
    ranker_name: str | None
    ranker: Ranker | None
    ranker_key: str
    """The key of the ranker's stage, '' without one."""
    repository: Path
    """The feature repository."""
    candidates: int

    @property
    def stages(self) -> int:
        """Count the stages: retrieve, filter, score where there is a ranker, order."""
        return 4 if self.ranker is not None else 3

    @property
    def fingerprint(self) -> int:
        """Give a number of what answers: training, index, its search parameters and ranker."""
        parts = (self.known.key, self.index["collection"], sorted(self.search.items()), self.ranker_key)
        return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:15], 16)


def find_served(workspace: Workspace, model: str | None = None, index: str | None = None) -> ServedModel:
    """Find what answers for a model: the index in use or the one named, and the ranker over it where one is trained.

    Without a model, one that a trained ranker orders, else the usual one. Raises UserError for parts of different
    trainings.
    """
    name = model or (find_index(workspace, index)["model"] if index else _usual(workspace))
    row = find_index(workspace, index) if index else index_in_use(workspace, name)
    now = in_use_now(workspace, name)
    if row["vectors"] != "items" or row["model"] != name:
        raise UserError(f"Index '{row['name']}' does not hold the items of {name}: choose one that does.")
    if row["metric"] != "IP":
        raise UserError(
            f"Index '{row['name']}' compares by {row['metric']}, and {name} scores by inner product: choose one by IP."
        )
    if row["training"] != now.key:  # what is exported is the training in use
        raise UserError(
            f"Index '{row['name']}' was built from another training of {name} than the one in use: "
            f"refresh it with `run --model {name}`."
        )
    ranker_name = _ranker_over(workspace, name)
    ranker = None if ranker_name is None else _load_ranker(workspace, ranker_name, name, now)
    if ranker is None:
        ranker_name = None
    items = len(now.rows)
    if now.catalogue[ITEM_IDX].to_list() != list(range(FIRST_IDX, FIRST_IDX + items)):
        raise UserError(f"The catalogue of {name} is numbered otherwise than today: run `preprocess` and `train` anew.")
    count = min(CANDIDATES, items)
    kind = index_type(row["index"])
    search = validate_search(kind, row["params"], parse_params(used_search(workspace, row["name"])), count)
    ranker_key = "" if ranker_name is None else str((workspace.manifest(stage_name(ranker_name)) or {})["key"])
    return ServedModel(row, search, now, ranker_name, ranker, ranker_key, find_repository(workspace), count)


def _usual(workspace: Workspace) -> str:
    """Give a model that a trained ranker orders and that has an index of items, else the usual one."""
    indexed = {row["model"] for row in list_indexes(workspace) if row["vectors"] == "items"}
    ranked = (_retrieval(workspace, name) for name in _rankers(workspace))
    return next((name for name in ranked if name in indexed), DEFAULT_MODEL)


def _rankers(workspace: Workspace) -> list[str]:
    """List the trained rankers, the newest first; one that learned from clicks alone is a lesson, and ranks nothing."""
    names = [name for name, kind in KINDS.items() if isinstance(kind, RankerKind) and kind.defaults.has_negatives]
    found = [name for name in names if workspace.manifest(stage_name(name)) is not None]
    return sorted(found, key=lambda name: str((workspace.manifest(stage_name(name)) or {})["created"]), reverse=True)


def _retrieval(workspace: Workspace, ranker: str) -> str:
    return str((workspace.manifest(stage_name(ranker)) or {})["config"]["retrieval"])


def _ranker_over(workspace: Workspace, model: str) -> str | None:
    return next((name for name in _rankers(workspace) if _retrieval(workspace, name) == model), None)


def _load_ranker(workspace: Workspace, name: str, model: str, known: KnownItems) -> Ranker | None:
    inputs = (workspace.manifest(stage_name(name)) or {})["inputs"]
    if inputs[stage_name(model)] != known.key or is_stale(workspace, stage_name(name)):
        raise UserError(
            f"The ranker {name} orders what another training of {model} retrieves than the index holds: "
            f"run `train --model {name}`, or refresh the index with `run --model {model}`."
        )
    ranker, _ = load_model(workspace, name)
    assert isinstance(ranker, Ranker)
    return ranker if ranker.network is not None else None  # training found no better order than retrieval's
