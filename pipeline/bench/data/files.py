"""A scenario's vectors, queries and exact neighbours as other benchmarks read them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.bench.data.scenarios import Scenario
from pipeline.core.arrays import Floats, Rows
from pipeline.core.checks import one_of
from pipeline.core.errors import UserError
from pipeline.search.measure import distances
from pipeline.store.outputs import written

FOLDERS = ("vectordbbench",)  # forms that are a folder of files
DISTANCES = {"L2": "euclidean", "COSINE": "angular"}


def check_form(form: str, metric: str) -> None:
    """Raise UserError for a `form` that no peer has, or that knows no `metric`; '' for one that is not known yet."""
    one_of(form, FORMS, "form")
    if form == "hdf5" and metric and metric not in DISTANCES:
        raise UserError(
            f"ann-benchmarks compares by {' or '.join(DISTANCES.values())} and these vectors by {metric}: add "
            "--metric L2 or --metric COSINE."
        )


def write_scenario(scenario: Scenario, neighbours: Rows, form: str, target: Path) -> list[Path]:
    """Write a scenario with its exact neighbours (q, k) in the `form` of a peer; give the files."""
    check_form(form, scenario.metric)
    with written(target) as path:
        names = [part.relative_to(path) for part in FORMS[form](scenario, neighbours, path)]
    return [target / name for name in names]


def write_hdf5(scenario: Scenario, neighbours: Rows, target: Path) -> list[Path]:
    """Write one file as https://github.com/erikbern/ann-benchmarks has them: train, test, neighbors, distances."""
    import h5py

    found = distances(scenario.vectors, scenario.queries, neighbours, scenario.metric)
    with h5py.File(target, "w") as file:
        file.attrs["distance"] = DISTANCES[scenario.metric]
        file.attrs["point_type"] = "float"
        file.attrs["dimension"] = scenario.dim
        file.attrs["type"] = "dense"
        file.create_dataset("train", data=scenario.vectors, dtype=np.float32)
        file.create_dataset("test", data=scenario.queries, dtype=np.float32)
        file.create_dataset("neighbors", data=neighbours, dtype=np.int32)
        file.create_dataset("distances", data=found, dtype=np.float32)
    return [target]


def write_vectordbbench(scenario: Scenario, neighbours: Rows, target: Path) -> list[Path]:
    """Write a folder as the custom data set of https://github.com/zilliztech/VectorDBBench: train, test, neighbors."""
    target.mkdir()
    tables = {
        "train": _table("emb", scenario.vectors),
        "test": _table("emb", scenario.queries),
        "neighbors": pl.DataFrame({"id": np.arange(len(neighbours)), "neighbors_id": neighbours.tolist()}),
    }
    for name, table in tables.items():
        table.write_parquet(target / f"{name}.parquet")
    return [target / f"{name}.parquet" for name in tables]


def _table(column: str, vectors: Floats) -> pl.DataFrame:
    values = pl.Series(column, np.ascontiguousarray(vectors), dtype=pl.Array(pl.Float32, vectors.shape[1]))
    return pl.DataFrame({"id": np.arange(len(vectors)), column: values.cast(pl.List(pl.Float32))})


FORMS: dict[str, Callable[[Scenario, Rows, Path], list[Path]]] = {
    "hdf5": write_hdf5,
    "vectordbbench": write_vectordbbench,
}
