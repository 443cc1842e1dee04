"""Client processes against a real server: what they count, how they reach it, and what happens when one dies."""

import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import psutil
import pytest

from pipeline.bench.load.fleet import Fleet, Load
from pipeline.bench.load.messages import Target
from pipeline.bench.load.requests import Search, found, split_requests
from pipeline.core.errors import UserError
from pipeline.search.embedded.network import may_enter
from tests.bench.conftest import TOP_K, Served

pytestmark = pytest.mark.milvus


def _clients() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "pipeline.bench.load.client" in p.cmdline()]


@pytest.fixture(scope="module")
def fleet(served: Served):  # type: ignore[no-untyped-def]
    with closing(Fleet(served.target)) as started:
        yield started


@pytest.mark.parametrize(("nq", "clients"), [(1, 1), (30, 3), (300, 2)])
def test_answers_are_those_that_the_engine_gives_and_figures_add_up(
    served: Served, fleet: Fleet, nq: int, clients: int
) -> None:
    parts = split_requests(served.queries, nq)
    figures = fleet.measure(served.search, parts, Load(0.6, clients))
    answered = np.concatenate([found(answer, nq, TOP_K) for answer in figures.answers])
    expected = [served.engine.search("ready", part, TOP_K, served.search.params).ids for part in parts]
    assert (answered == np.concatenate(expected)).all()
    assert figures.qps == pytest.approx(figures.requests * nq / figures.seconds, rel=0.3)
    assert 0 < figures.p50_ms <= figures.p95_ms <= figures.p99_ms < 1000 * figures.seconds + 200
    assert figures.client_cpu > 0
    assert figures.server_cpu is not None
    assert figures.server_cpu > 0


def test_clients_stay_for_the_next_point(served: Served, fleet: Fleet) -> None:
    parts = split_requests(served.queries, 10)
    fleet.measure(served.search, parts, Load(0.2, 2))
    before = {p.pid for p in _clients()}
    fleet.measure(served.search, parts, Load(0.2, 1))
    assert {p.pid for p in _clients()} == before


def test_pymilvus_gives_the_same_ids(served: Served, fleet: Fleet) -> None:
    parts = split_requests(served.queries, 100)
    figures = fleet.measure(served.search, parts, Load(0.5, client="pymilvus"))
    answered = np.concatenate([found(answer, 100, TOP_K) for answer in figures.answers])
    expected = [served.engine.search("ready", part, TOP_K, served.search.params).ids for part in parts]
    assert (answered == np.concatenate(expected)).all()


def test_an_open_loop_keeps_its_rate(served: Served, fleet: Fleet) -> None:
    figures = fleet.measure(served.search, split_requests(served.queries, 1), Load(1.0, 2, rate=40))
    assert figures.requests + figures.unsent == 40
    assert figures.qps == pytest.approx(figures.requests, rel=0.1)


def test_clients_reach_the_server_within_its_network_and_else_by_its_address(served: Served) -> None:
    if not may_enter():
        pytest.skip("this kernel gives no process a network of its own")
    inside = replace(served.target, address="127.0.0.1:1")  # there is nothing at its public address
    with closing(Fleet(inside)) as fleet:
        assert fleet.measure(served.search, split_requests(served.queries, 10), Load(0.2)).requests
    outside = replace(served.target, pid=2**22, inner="127.0.0.1:1")  # no such process: nothing to be entered
    with closing(Fleet(outside)) as fleet:
        assert fleet.measure(served.search, split_requests(served.queries, 10), Load(0.2)).requests


def test_a_client_that_dies_is_a_sentence_and_the_next_point_has_new_ones(served: Served, fleet: Fleet) -> None:
    def kill() -> None:
        time.sleep(0.6)
        _clients()[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(UserError, match="A client process of the load generator ended \\(signal 9\\)"):
        fleet.measure(served.search, split_requests(served.queries, 10), Load(2.0, 2))
    killer.join()
    assert fleet.measure(served.search, split_requests(served.queries, 10), Load(0.2, 2)).requests


def test_what_the_server_refuses_is_a_sentence(served: Served, fleet: Fleet) -> None:
    parts = split_requests(served.queries, 10)
    with pytest.raises(UserError, match="no collection 'gone'"):
        fleet.measure(replace(served.search, collection="gone"), parts, Load(0.2))
    with pytest.raises(UserError, match="refused: .*nprobe"):
        fleet.measure(replace(served.search, params={"nprobe": 0}), parts, Load(0.2))
    with (
        closing(Fleet(Target("127.0.0.1:1", ""))) as nowhere,
        pytest.raises(UserError, match="ended or stopped answering"),
    ):
        nowhere.measure(served.search, parts, Load(0.2))


def test_queries_are_cut_into_whole_requests(served: Served) -> None:
    assert [len(part) for part in split_requests(served.queries, 130)] == [
        130,
        130,
        130,
    ]  # the last ends with the first ones
    with pytest.raises(UserError, match="nq 301 is over the 300 queries"):
        split_requests(served.queries, 301)
    assert Search("c", "IP", {}, 5).field == "vector"
