"""What a library underneath a vector database does on the vectors that the database has."""

import os
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Rows
from pipeline.core.checks import one_of
from pipeline.core.errors import UserError
from pipeline.models.registry import KINDS
from pipeline.search.libraries.registry import find_library
from pipeline.search.measure import measure
from pipeline.search.params import Values
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import Entity, load_vectors


def measure_library(
    ids: Rows,
    vectors: Floats,
    queries: Floats,
    index: str,
    params: Values,
    search: Values,
    metric: str,
    k: int,
    library: str = "faiss",
    threads: int = 0,
) -> dict[str, Any]:
    """Build with a library and measure it as `measure` does, on `threads` CPU threads (0: every one)."""
    from threadpoolctl import threadpool_limits

    chosen = find_library(library)
    cores = len(os.sched_getaffinity(0))
    if not 0 <= threads <= cores:
        raise UserError(f"{threads} threads are out of range: choose 1 to {cores}, or 0 for all of them.")
    one_of(index, chosen.types, f"{chosen.title} index type")
    engine = chosen.engine()  # before the limit, which reaches only libraries that are loaded
    with threadpool_limits(threads or cores):
        measured = measure(engine, ids, vectors, queries, index, params, search, metric, k)
    return {"library": library, "device": chosen.device, "threads": threads or cores} | measured


def workspace_vectors(workspace: Workspace, model: str, entity: Entity, most: int) -> tuple[Rows, Floats, Floats]:
    """Give (ids, vectors, queries): a model's items or sessions under their row numbers, and at most `most` sessions.

    Sessions are drawn without replacement and with one seed, so that two libraries answer the same queries; vectors
    that were imported from a file are their own queries.
    """
    _, vectors = load_vectors(workspace, model, entity)
    sessions = load_vectors(workspace, model, "sessions")[1] if model in KINDS else vectors
    drawn = np.random.default_rng(0).permutation(len(sessions))[:most]
    return np.arange(len(vectors)), vectors, sessions[drawn]
