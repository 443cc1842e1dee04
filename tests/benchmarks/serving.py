"""Print what four stages take by each way of answering: one session and a batch, and each stage's share.

WORKSPACE has a ranker and `serve up`; the fast path, Merlin's runtime and Triton answer the same test sessions.
"""

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.core.arrays import Ints
from pipeline.search.embedded.server import connect
from pipeline.serving.features.tables import session_keys
from pipeline.serving.stages.answer import STAGES, Answers
from pipeline.serving.stages.fast import FastPath, batch
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.served import find_served
from pipeline.serving.triton.client import TritonClient
from pipeline.serving.triton.server import address
from pipeline.sessions import preprocess
from pipeline.store.workspace import Workspace

Way = Callable[[Ints, Requests], Answers]
REQUESTS, BATCH = 200, 32


def main() -> None:
    """Measure and print."""
    workspace = Workspace.open(Path(sys.argv[1] if len(sys.argv) > 1 else "workspace"))
    served = find_served(workspace)
    clicks = preprocess.load_part(workspace, "test").group_by("session_id", maintain_order=True).agg("item_idx")
    keys, histories = session_keys(clicks["session_id"]), clicks["item_idx"].to_list()
    print(f"{platform.machine()}, {os.cpu_count()} cores: {len(served.known.rows):,} items, {served.stages} stages")
    client = TritonClient(address(workspace), served.ranker is not None)
    with connect(workspace, "benchmark", name=served.index["server"]) as engine:
        fast = FastPath(served)
        ways: dict[str, Way] = {
            "fast": lambda k, r: fast.answer(k, r, engine, *batch(0.5, 1, len(k))),
            "triton": lambda k, r: client.answer(k, r, *batch(0.5, 1, len(k))),
        }
        for name, way in ways.items():
            _one_by_one(name, way, keys, histories)
        for clients in (1, 4, 16):
            for name, way in ways.items():
                _together(name, way, keys, histories, clients)


def _one_by_one(name: str, way: Way, keys: Ints, histories: Sequence[list[int]]) -> None:
    rates = {}
    for size in (1, BATCH):
        took, shares = [], []
        for n in range(REQUESTS if size == 1 else REQUESTS // 8):
            rows = slice(n * size % (len(keys) - size), n * size % (len(keys) - size) + size)
            began = time.perf_counter()
            answer = way(keys[rows], Requests.of(list(histories[rows])))
            took.append((time.perf_counter() - began) * 1000)
            shares.append([answer.latency_ms[stage] for stage in STAGES])
        p50, p95, p99 = np.percentile(took[5:], [50, 95, 99])
        rates[size] = size * 1000 / p50
        print(
            f"{name:<7} batch {size:>2}: p50 {p50:6.1f} p95 {p95:6.1f} p99 {p99:6.1f} ms, {rates[size]:6.0f} sessions/s"
        )
        median = np.median(np.array(shares[5:]), axis=0)
        print("        " + ", ".join(f"{stage} {ms:.1f}" for stage, ms in zip(STAGES, median, strict=True)))
    print(
        f"{name:<7} a batch of {BATCH} has {rates[BATCH] / rates[1]:.1f} times the sessions/s of one alone", flush=True
    )


def _together(name: str, way: Way, keys: Ints, histories: Sequence[list[int]], clients: int) -> None:
    took: list[float] = []

    def ask(first: int) -> None:
        for n in range(first, first + REQUESTS // clients):
            row = n % (len(keys) - 1)
            began = time.perf_counter()
            way(keys[row : row + 1], Requests.of([histories[row]]))
            took.append((time.perf_counter() - began) * 1000)

    threads = [threading.Thread(target=ask, args=(n * 37,)) for n in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(took) / (time.perf_counter() - began)
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    print(
        f"{name:<7} {clients:>2} clients: p50 {p50:6.1f} p95 {p95:6.1f} p99 {p99:6.1f} ms, {rate:6.0f} sessions/s",
        flush=True,
    )


if __name__ == "__main__":
    main()
