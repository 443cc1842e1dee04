"""The same generator as Dask workers: two of them, each with its share of the clients."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from pipeline.bench.load.fleet import Load
from pipeline.bench.load.requests import found, split_requests
from pipeline.bench.load.workers import WorkersFleet
from pipeline.core.errors import UserError
from tests.bench.conftest import TOP_K, Served
from tests.bench.run.test_sweep import VECTORS, bench

pytestmark = pytest.mark.milvus


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        yield cluster.scheduler_address


def test_two_workers_answer_as_one_machine_does(served: Served, scheduler: str) -> None:
    parts = split_requests(served.queries, 10)
    with closing(WorkersFleet(served.target, scheduler)) as fleet:
        assert len(fleet.workers) == 2
        for clients in (1, 3):
            figures = fleet.measure(served.search, parts, Load(0.5, clients))
            answered = np.concatenate([found(answer, 10, TOP_K) for answer in figures.answers])
            expected = [served.engine.search("ready", part, TOP_K, served.search.params).ids for part in parts]
            assert (answered == np.concatenate(expected)).all()
            assert figures.qps == pytest.approx(figures.requests * 10 / figures.seconds, rel=0.3)
            assert figures.client_cpu > 0
            assert figures.server_cpu is not None
        with pytest.raises(UserError, match="no collection 'gone'"):
            fleet.measure(replace(served.search, collection="gone"), parts, Load(0.2, 2))
        assert fleet.measure(served.search, parts, Load(0.2, 2)).requests


def test_a_sweep_takes_workers_as_clients(served: Served, scheduler: str) -> None:
    options = ("--index", "FLAT", "--nq", "10", "--concurrency", "2", "--top-k", "5", "--seconds", "0.3")
    [row] = bench(served.workspace.root, *VECTORS, *options, "--dask", scheduler)["rows"]
    assert (row["error"], row["recall"]) == (None, 1.0)


def test_no_scheduler_is_a_sentence(served: Served) -> None:
    with pytest.raises(UserError, match="No Dask scheduler answers at tcp://127.0.0.1:1"):
        WorkersFleet(served.target, "tcp://127.0.0.1:1")
