"""What was published loads as if it had been measured, and is marked as published."""

import polars as pl

from pipeline import published
from pipeline.bench.runs import COLUMNS
from pipeline.bench.settings import gather, newest, summarise, where
from pipeline.workspace import Workspace


def test_the_published_figures_have_the_columns_of_a_run(workspace: Workspace) -> None:
    table = gather(workspace, [published.NAME])
    assert table.height == 270
    assert dict(table.drop("run", "cores").schema) == dict(COLUMNS)
    assert set(table["run"]) == {published.NAME}
    assert table.filter(pl.col("recall").is_null() | pl.col("qps").is_null()).is_empty()
    assert summarise(table).height == 270  # no two of them are the same setting
    assert newest(workspace) == published.NAME


def test_hardware_and_parameters_are_theirs() -> None:
    gpu = where(published.points(), {"device": "gpu", "nlist": 100, "nprobe": 5, "scenario": "user-user"}).row(
        0, named=True
    )
    assert (gpu["qps"], gpu["build"], gpu["cores"]) == (29381.0, '{"m": 64, "nbits": 8, "nlist": 100}', None)
    assert "A100" in gpu["server"]
    cpu = where(published.points(), {"device": "cpu", "index": "HNSW"})
    assert set(cpu["cores"]) == {96.0}
    assert cpu["build"][0] == '{"M": 12, "efConstruction": 500}'
    assert set(cpu["client"]) == {"pymilvus"}
