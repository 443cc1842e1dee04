"""Print what the load generator reaches beside a bare gRPC loop and beside a loop over pymilvus, on one server.

`python -m tests.benchmarks.load [NQxCLIENTS …]`: 49,000 x 64 vectors that lie in groups, as a model's do, HNSW M 16, ef
100, top 100; the ways take turns, in processes that stand ready before the clock starts, and the median of 7 ratios is
what counts. Vectors without any groups cost the server half as much again, and hide as much of what a client costs.
"""

import base64
import itertools
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bench.load.access import target
from pipeline.bench.load.fleet import Fleet, Load
from pipeline.bench.load.messages import Target
from pipeline.bench.load.requests import Search, serialised, split_requests
from pipeline.search.embedded import network, server
from pipeline.store.workspace import Workspace

ROWS, DIM, TOP_K, ROUNDS = 49_000, 64, 100, 7
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
BARE = [(nq, clients, 0.95) for nq, clients in itertools.product((1, 10, 1000), (1, 4, 10))]
PYMILVUS = [(1, 10, 1.3), (1000, 1, 6.0), (1000, 4, 4.0)]
SETS = ((ROWS, 1), (10_000, 2))  # rows and seeds: what is searched, and what is asked
SEARCH = Search("bench", "IP", {"ef": TOP_K}, TOP_K)


def _bare(target: Target, requests: list[Any]) -> Callable[[Any], Any]:
    import grpc

    key = base64.b64encode(target.token.encode()).decode()
    channel = grpc.insecure_channel(target.inner, options=[("grpc.max_receive_message_length", -1)])
    ask = channel.unary_unary("/milvus.proto.milvus.MilvusService/Search")
    return lambda request: ask(request, metadata=(("authorization", key),))


def _pymilvus(target: Target, requests: list[Any]) -> Callable[[Any], Any]:
    from pymilvus import Collection, connections

    connections.connect("default", uri=f"http://{target.inner}", token=target.token)
    collection = Collection(SEARCH.collection)
    param = {"metric_type": SEARCH.metric, "params": SEARCH.params}
    return lambda queries: [
        hits.ids for hits in collection.search(queries, "vector", param, TOP_K, consistency_level="Eventually")
    ]


WAYS = {"bare": _bare, "pymilvus": _pymilvus}


def _client(line: Connection, way: str, target: Target, requests: list[Any]) -> None:
    """Say that it stands ready; from a given moment on ask for some seconds, and give the requests a second."""
    if target.pid and not network.join(target.pid):
        sys.exit("load: the server's network cannot be entered")
    ask = WAYS[way](target, requests)
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < SECONDS / 10:
        ask(requests[0])
    line.send("ready")
    begin = line.recv()
    time.sleep(max(0.0, begin - time.monotonic()))
    while time.monotonic() - begin < SECONDS:
        ask(requests[count % len(requests)])
        count += 1
    line.send(count / (time.monotonic() - begin))


def _qps(way: str, target: Target, requests: list[Any], nq: int, clients: int) -> float:
    context = multiprocessing.get_context("spawn")
    lines, running = [], []
    for number in range(clients):
        here, there = context.Pipe()
        share = requests[number::clients] or requests
        running.append(context.Process(target=_client, args=(there, way, target, share)))
        running[-1].start()
        lines.append(here)
    assert [line.recv() for line in lines] == ["ready"] * clients
    for line in lines:
        line.send(time.monotonic() + 0.03)
    total = sum(line.recv() for line in lines) * nq
    for process in running:
        process.join()
    return total


def _compare(way: str, fleet: Fleet, queries: Any, nq: int, clients: int, goal: float) -> bool:
    parts = split_requests(queries, nq)
    requests = [list(part) for part in parts] if way == "pymilvus" else serialised(SEARCH, parts)
    ours, theirs = [], []
    for turn in range(ROUNDS):
        for mine in (True, False) if turn % 2 else (False, True):
            if mine:
                ours.append(fleet.measure(SEARCH, parts, Load(SECONDS, clients)))
            else:
                assert isinstance(fleet.target, Target)
                theirs.append(_qps(way, fleet.target, requests, nq, clients))
    ratios = [o.qps / t for o, t in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    bound = sum(o.client_bound for o in ours) * 2 > ROUNDS
    print(
        f"nq {nq:>5}, {clients:>2} clients: {statistics.median(o.qps for o in ours):8,.0f} QPS, {way} "
        f"{statistics.median(theirs):8,.0f}: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), goal {goal}"
        f"{'; the client is the limit' * bound}{'' if ratio >= goal else '  MISSED'}",
        flush=True,
    )
    return ratio >= goal


def main() -> None:
    """Measure and print; exit code 1 where a goal is missed."""
    from pipeline.bench.data.sources import MadeUp  # not at the top: Polars starts threads

    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the clients enter the server's network before they start threads
    vectors, queries = (np.vstack(list(MadeUp(rows, DIM, seed, ROWS // 40).blocks())) for rows, seed in SETS)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "ws")
        with server.connect(workspace, "bench") as engine:
            engine.create("bench", DIM, "IP")
            engine.insert("bench", np.arange(ROWS), vectors, {})
            engine.build("bench", "HNSW", {"M": 16, "efConstruction": 200}, "IP")
            engine.load("bench")
            print(f"{platform.machine()}, {os.cpu_count()} cores, Milvus {engine.version()}", end=", ")
            print(f"pymilvus {version('pymilvus')}, grpcio {version('grpcio')}, {ROWS:,} x {DIM}, HNSW, top {TOP_K}")
            print(f"median of {ROUNDS} in turn, {SECONDS:g} s each (least to most):")
            with closing(Fleet(target(workspace, engine.endpoint))) as fleet:
                cases = [("bare", *case) for case in BARE] + [("pymilvus", *case) for case in PYMILVUS]
                asked = [case for case in cases if not sys.argv[1:] or f"{case[1]}x{case[2]}" in sys.argv[1:]]
                met = [_compare(way, fleet, queries, nq, clients, goal) for way, nq, clients, goal in asked]
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
