"""A collection that others built, on a server that is connected: read and asked, never changed."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.bench.data.scenarios import Scenario
from pipeline.bench.run.grid import Grid, IndexGrid
from pipeline.bench.run.plan import SweepConfig
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.search.catalogue import CATALOGUE, MIN_INDEXED_ROWS
from pipeline.search.embedded.server import connect
from pipeline.search.milvus import foreign
from pipeline.search.params import format_params, read_value
from pipeline.store.workspace import Workspace


@dataclass(frozen=True)
class Given:
    """What is asked: the collection's own vectors as a scenario, and its index as a grid of one build."""

    scenario: Scenario
    indexes: tuple[Grid, ...]


def read_collection(workspace: Workspace, config: SweepConfig, progress: Progress = silent) -> Given:
    """Read a collection's vectors, some of which are the queries, and its index; UserError where it cannot be asked."""
    with connect(workspace, "bench", progress, config.server) as engine:
        about = foreign.searchable(engine, config.collection)
        entry = CATALOGUE.get(str(about["index"]))
        if entry is None or about["rows"] < MIN_INDEXED_ROWS:
            raise UserError(
                f"Collection '{config.collection}' has {about['rows']:,} rows and the index '{about['index']}': take "
                f"one of at least {MIN_INDEXED_ROWS:,} rows with an index of the catalogue."
            )
        keys, vectors = foreign.everything(engine, about, progress)
    drawn = np.random.default_rng(config.scenario.seed).permutation(len(vectors))[: config.scenario.queries]
    queries = vectors[np.sort(drawn)]
    scenario = Scenario(config.collection, vectors, queries, len(vectors), about["metric"], keys, about["vector"])
    known = {p.name for p in entry.build}
    params = {name: read_value(str(value)) for name, value in about["params"].items() if name in known}
    text, choices = format_params(params), {name: (value,) for name, value in params.items()}
    built = (
        replace(grid, written=IndexGrid(entry.name, text, grid.written.search), index=entry, build=choices)
        for grid in config.indexes
    )
    return Given(scenario, tuple(built))
