"""What answers for many sessions: the nearest items of an index, or the four stages; found and checked once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.errors import UserError
from pipeline.indexes.known import KnownItems
from pipeline.indexes.registry import find_index, of_another_training
from pipeline.search.engine import Database
from pipeline.serving.many.answering import Answering, FourStages, Nearest
from pipeline.serving.recommender import Recommender
from pipeline.serving.request import check_index, search_params
from pipeline.serving.stages.fast import FastPath
from pipeline.serving.stages.served import find_served
from pipeline.store.workspace import Workspace

_MOST = 1000  # items for a session


@dataclass(frozen=True)
class ManyConfig:
    """What can be chosen of recommendations for many sessions."""

    k: int = 10
    model: str | None = None
    index: str | None = None
    rank: bool = False
    """Whether the ranker orders what is retrieved: four stages, and what was seen is left out."""
    exclude_seen: bool = False


@dataclass(frozen=True, eq=False)
class ManyPlan:
    """What answers."""

    index: dict[str, Any]
    known: KnownItems
    ranker: str | None
    answering: Callable[[Database], Answering]
    key: str
    """Tells apart whatever gives other answers."""


def find_plan(workspace: Workspace, config: ManyConfig) -> ManyPlan:
    """Find what answers; raise UserError for what cannot."""
    return _ranked(workspace, config) if config.rank else _nearest(workspace, config)


def _ranked(workspace: Workspace, config: ManyConfig) -> ManyPlan:
    served = find_served(workspace, config.model, config.index)
    if served.ranker is None:
        raise UserError("No ranker orders what this model retrieves: leave --rank out, or `train --model dlrm` first.")
    _check_k(config.k, served.candidates)
    path = FastPath(served)
    key = f"{config} {served.fingerprint} {served.repository.name}"
    return ManyPlan(
        served.index, served.known, served.ranker_name, lambda engine: FourStages(path, engine, config.k), key
    )


def _nearest(workspace: Workspace, config: ManyConfig) -> ManyPlan:
    named = None if config.index is None else find_index(workspace, config.index)
    model = config.model or (named["model"] if named else DEFAULT_MODEL)
    recommender = Recommender(workspace, model)
    index = recommender.index_in_use(config.index)
    known = recommender.of(index)
    check_index(model, index, known)
    if index["training"] is None and of_another_training(workspace, index):
        raise UserError(
            f"Index '{index['name']}' was built from an older training of {model}: run `run --model {model}`."
        )
    size = index["count"] or len(known.rows)
    _check_k(config.k, min(size, _MOST))
    search = cache(lambda fetch: search_params(workspace, index, "", fetch))

    def answering(engine: Database) -> Answering:
        return Nearest(engine, index["collection"], known, config.k, size, search, config.exclude_seen)

    state = [index.get(name) for name in ("collection", "count", "added", "deleted", "freshness")]
    return ManyPlan(index, known, None, answering, f"{config} {known.key} {sorted(search(config.k).items())} {state}")


def _check_k(k: int, most: int) -> None:
    if not 1 <= k <= most:
        raise UserError(f"k {k} is out of range: choose 1 to {most:,}.")
