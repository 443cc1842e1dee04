"""Print rows a second of `MilvusEngine.insert` beside a bare gRPC loop over requests that were serialised before.

`python -m tests.benchmarks.insert [ROWS]`: ROWS x 64 float32, flush included, the two in turn on one server and one
connection, in the same batches, median of 3. The memory is what a process of its own holds at most while it inserts,
above what it holds before.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pymilvus.grpc_gen import milvus_pb2

from pipeline.search.embedded import server
from pipeline.search.engine import Endpoint
from pipeline.search.milvus import insertion
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace

DIM, TIMES, GOAL = 64, 3, 0.8
Vectors = npt.NDArray[np.float32]


def _serialised(name: str, ids: npt.NDArray[np.int64], vectors: Vectors) -> list[bytes]:
    """Make the requests that `insert` would send, in the same batches."""
    size = insertion.batch_rows(vectors.shape[1])
    parts = (slice(low, low + size) for low in range(0, len(ids), size))
    make = milvus_pb2.InsertRequest
    return [insertion.request(make, name, ids[p], vectors[p], {}).SerializeToString() for p in parts]


def _bare(engine: MilvusEngine, name: str, requests: list[bytes]) -> float:
    """Send bytes that are ready over the engine's own channel and flush; give the seconds."""
    from pymilvus import connections

    channel = connections._fetch_handler(engine.alias)._final_channel
    call = channel.unary_unary(
        "/milvus.proto.milvus.MilvusService/Insert",
        request_serializer=None,
        response_deserializer=milvus_pb2.MutationResult.FromString,
    )
    began = time.perf_counter()
    for request in requests:
        assert call(request).status.code == 0
    engine.flushed(name)
    return time.perf_counter() - began


def _ours(engine: MilvusEngine, name: str, ids: npt.NDArray[np.int64], vectors: Vectors) -> float:
    began = time.perf_counter()
    engine.insert(name, ids, vectors, {})
    return time.perf_counter() - began


def _peak_mb(engine: MilvusEngine, vectors: Vectors, folder: str) -> float:
    """Insert from a file in a process of its own; give by how many MB it grows."""
    path = Path(folder) / "vectors.npy"
    np.save(path, vectors)
    call = [sys.executable, "-m", "tests.benchmarks.insert", "--child", str(path), engine.endpoint.uri]
    token = os.environ | {"MILVUS_TOKEN": engine.endpoint.token}
    return float(subprocess.run(call, env=token, capture_output=True, text=True, check=True).stdout)


def _child(path: str, uri: str) -> None:
    engine = MilvusEngine(Endpoint(uri, os.environ["MILVUS_TOKEN"]))
    vectors = np.load(path, mmap_mode="r")
    engine.create("memory", DIM, "IP")
    before, seen, ended = _anonymous_mb(), [0.0], threading.Event()

    def sample() -> None:
        while not ended.wait(0.002):
            seen.append(max(seen.pop(), _anonymous_mb()))

    watcher = threading.Thread(target=sample)
    watcher.start()
    engine.insert("memory", np.arange(len(vectors)), vectors, {})
    ended.set()
    watcher.join()
    engine.drop("memory")
    print(seen[0] - before)


def _anonymous_mb() -> float:
    """Read the memory of this process without what maps files (proc(5))."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e3


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--child"]:
        return _child(*sys.argv[2:])
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    vectors = np.random.default_rng(7).standard_normal((rows, DIM), np.float32)
    ids = np.arange(rows)
    rates: dict[str, list[float]] = {"bare": [], "insert": []}
    with tempfile.TemporaryDirectory() as folder:
        with server.connect(Workspace.open(Path(folder) / "ws"), "benchmark") as engine:
            for turn in range(TIMES):
                for kind in sorted(rates, reverse=turn % 2 == 0):  # who goes first meets the colder server
                    name = f"{kind}{turn}"
                    engine.create(name, DIM, "IP")
                    if kind == "bare":
                        seconds = _bare(engine, name, _serialised(name, ids, vectors))
                    else:
                        seconds = _ours(engine, name, ids, vectors)
                    assert engine.flushed(name) == rows
                    engine.drop(name)
                    rates[kind].append(rows / seconds)
            peak, milvus = _peak_mb(engine, vectors, folder), engine.version()
    bare, ours = (statistics.median(found) for found in rates.values())
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; Milvus {milvus}", end=", ")
    print(f"pymilvus {version('pymilvus')}, grpcio {version('grpcio')}, numpy {np.__version__}")
    print(f"{rows:,} x {DIM} float32, flush included, median of {TIMES} in turn (least to most):")
    for kind, found in rates.items():
        print(f"{kind:<7} {statistics.median(found):9,.0f} rows/s   ({min(found):,.0f} to {max(found):,.0f})")
    print(f"insert is at {ours / bare:.2f} of bare (goal {GOAL}); it takes {peak:.0f} MB of the client's memory")


if __name__ == "__main__":
    main()
