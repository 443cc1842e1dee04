"""Print what the server's own network costs: QPS through the relay against QPS from within, in one run.

Plain gRPC, requests serialised before, answers left as bytes; 49,000 x 64 vectors, HNSW, top 100, nq 1 and 1,000, one
client process and four; the two ways take turns.
"""

import base64
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.search.embedded import network, server
from pipeline.store.workspace import Workspace, read_json

ROWS, DIM, TOP_K, ROUNDS, SECONDS = 49_000, 64, 100, 5, 3.0
CASES = ((1, 1), (1, 4), (1000, 1), (1000, 4))
SEARCH = "/milvus.proto.milvus.MilvusService/Search"


def _requests(nq: int) -> list[bytes]:
    from pymilvus.client.prepare import Prepare

    queries = np.random.default_rng(nq).normal(size=(32, nq, DIM)).astype(np.float32)
    params = {"metric_type": "IP", "params": {"ef": TOP_K}}
    made = (
        Prepare.search_requests_with_expr("bench", list(q), "vector", params, TOP_K, consistency_level=3)
        for q in queries
    )
    return [m.SerializeToString() for m in made]


def _client(pid: int | None, address: str, token: str, nq: int, answers: "multiprocessing.Queue[float]") -> None:
    """Ask for some seconds; from within the network of process `pid` where one is given."""
    if pid is not None and not network.join(pid):
        sys.exit("relay: the server's network cannot be entered")
    import grpc

    key = base64.b64encode(token.encode()).decode()
    limit = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options=limit) as channel:
        ask: Callable[..., bytes] = channel.unary_unary(SEARCH)
        requests = _requests(nq)
        for message in requests[:4]:
            ask(message, metadata=(("authorization", key),))
        begin, count = time.monotonic(), 0
        while time.monotonic() - begin < SECONDS:
            ask(requests[count % len(requests)], metadata=(("authorization", key),))
            count += 1
        answers.put(count * nq / (time.monotonic() - begin))


def _qps(pid: int | None, address: str, token: str, nq: int, clients: int) -> float:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[float] = context.Queue()
    running = [context.Process(target=_client, args=(pid, address, token, nq, answers)) for _ in range(clients)]
    for process in running:
        process.start()
    total = sum(answers.get(timeout=120) for _ in running)
    for process in running:
        process.join()
    return total


def main() -> None:
    """Measure and print."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the clients, who enter the server's network before they start threads
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "ws")
        with server.connect(workspace, "bench") as engine:
            about = read_json(server.home(workspace) / "server.json") or {}
            if not about["enclosed"]:
                sys.exit("relay: this kernel gives the server no network of its own: there is nothing to compare")
            vectors = np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)
            engine.create("bench", DIM, "IP")
            engine.insert("bench", np.arange(ROWS), vectors, {})
            engine.build("bench", "HNSW", {"M": 16, "efConstruction": 200}, "IP")
            engine.load("bench")
            ways = {
                "relay": (None, engine.endpoint.uri.removeprefix("http://")),
                "within": (int(about["pid"]), f"127.0.0.1:{about['ports']['proxy_port']}"),
            }
            print(f"{platform.machine()}, {os.cpu_count()} cores, Milvus {engine.version()}, {ROWS:,} x {DIM}, HNSW")
            for nq, clients in CASES:
                found: dict[str, list[float]] = {way: [] for way in ways}
                for _ in range(ROUNDS):
                    for way, (pid, address) in ways.items():
                        found[way].append(_qps(pid, address, engine.endpoint.token, nq, clients))
                ratio = statistics.median(r / w for r, w in zip(found["relay"], found["within"], strict=True))
                through, within = (statistics.median(found[way]) for way in ("relay", "within"))
                print(f"nq {nq:>5}, {clients} clients: {through:8,.0f} QPS relayed, {within:8,.0f} within: {ratio:.3f}")


if __name__ == "__main__":
    main()
