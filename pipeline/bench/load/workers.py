"""The load generator on several machines: each Dask worker starts its share of the client processes.

Where one machine cannot send as much as the server answers, `dask worker tcp://SCHEDULER` on others makes more clients.
"""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from pipeline.bench.load.fleet import Fleet, Load, LoadFigures, cpu_during, figures, works
from pipeline.bench.load.messages import Report, Target, Work
from pipeline.bench.load.requests import Search
from pipeline.core.arrays import Floats
from pipeline.core.cluster import connect
from pipeline.core.errors import UserError

_READY_S = 180.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


class WorkersFleet:
    """Client processes that the workers of a Dask scheduler start; it measures as `Fleet` does."""

    def __init__(self, target: Target, scheduler: str) -> None:
        self.target = target
        self.dask = connect(scheduler, as_default=False)
        self.workers = sorted(self.dask.scheduler_info()["workers"])
        far = [w for w in self.workers if urlsplit(w).hostname not in _LOCAL]
        if target.pid and far:
            raise UserError(
                f"The embedded Milvus answers on this machine only, and {far[0]} is on another: name a server that all "
                "workers reach with --server."
            )

    def measure(self, search: Search, parts: Sequence[Floats], load: Load) -> LoadFigures:
        """Send `parts`, (nq, dim) queries a request, for some seconds; UserError where that cannot be measured."""
        from distributed import Event, Queue

        shares = works(search, parts, load)
        chosen = self.workers[: len(shares)]
        name = uuid.uuid4().hex
        ready, go = Queue(f"ready-{name}", client=self.dask), Event(f"go-{name}", client=self.dask)
        tasks = [
            self.dask.submit(_replay, self.target, shares[n :: len(chosen)], search, name, workers=[worker], pure=False)
            for n, worker in enumerate(chosen)
        ]
        try:
            self._wait(tasks, ready)
            go.set()
            server_cpu = cpu_during(self.target.server_pids, time.monotonic(), load.seconds)
            results = self.dask.gather(tasks)
        finally:
            go.set()  # lets those go that wait, where another one failed
            ready.close()
        reports: list[Any] = [None] * len(shares)
        for n, (_, found) in enumerate(results):
            reports[n :: len(chosen)] = found
        cores = sum(dict(machine for machine, _ in results).values())
        return figures(reports, load, len(parts), len(parts[0]), server_cpu, cores)

    def _wait(self, tasks: list[Any], ready: Any) -> None:
        """Wait until every worker's clients are warm; UserError where one fails before."""
        deadline = time.monotonic() + _READY_S
        while ready.qsize() < len(tasks):
            for task in tasks:
                if task.status in ("error", "lost", "cancelled"):
                    task.result()
            if time.monotonic() > deadline:
                raise UserError(
                    f"Not all of {len(tasks)} Dask workers were ready within {_READY_S:.0f} s: see their logs, or give "
                    "each of them work of nobody else's."
                )
            time.sleep(0.02)

    def close(self) -> None:
        """Leave the scheduler; its workers go on."""
        self.dask.close()


def _replay(target: Target, shares: list[Work], search: Search, name: str) -> tuple[tuple[str, int], list[Report]]:
    """Run a share of the clients on a worker: ((machine, its cores), reports)."""
    from distributed import Event, Queue, get_client

    def gate() -> None:
        client = get_client()
        Queue(f"ready-{name}", client=client).put(1)
        if not Event(f"go-{name}", client=client).wait(_READY_S):
            raise UserError("The other Dask workers were not ready in time: see their logs.")

    with closing(Fleet(target)) as fleet:
        reports, _ = fleet.replay(shares, search, gate)
    return (socket.gethostname(), len(os.sched_getaffinity(0))), reports
