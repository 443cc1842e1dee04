"""The load generator: client processes that start together, and what they measured added up."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from pipeline.bench.load.messages import Reached, Report, Work
from pipeline.bench.load.requests import Search, refusal, serialised
from pipeline.bench.load.sliced import latency_percentiles, rate
from pipeline.core.arrays import Floats
from pipeline.core.errors import UserError
from pipeline.core.project import PROJECT
from pipeline.core.spread import Spread
from pipeline.search.embedded.cpu import cpu_seconds, tree
from pipeline.search.milvus.refusals import refusal_sentence

_IDLE, _BUSY = 0.25, 0.5  # shares of the CPU time that a client could have: see is_client_bound
_START_S = 60.0
_LONGEST_ANSWER_S = 120.0
_AHEAD_S = 0.03  # from the word to the start


@dataclass(frozen=True)
class Load:
    """How requests are sent."""

    seconds: float
    concurrency: int = 1
    """Client processes; a closed loop has as many requests under way."""
    rate: float | None = None
    """Requests a second that are offered in all, whatever the answers take; None: a closed loop."""
    client: str = "raw"
    """'raw', or 'pymilvus' as its users see it."""

    @property
    def warm_up_s(self) -> float:
        """Give how long it is asked before the clock starts."""
        return min(1.0, max(0.2, self.seconds / 10))


@dataclass(frozen=True)
class LoadFigures:
    """What was measured at one point."""

    qps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    client_cpu: float
    server_cpu: float | None
    client_bound: bool
    seconds: float
    requests: int
    unsent: int
    """Requests of an open loop that were due and that no client was free to send."""
    answers: list[Any]
    """One to each of the requests, as it came; None where there was no time for it."""
    answered: list[int]
    """Queries that were answered in each slice of the time."""
    spreads: dict[str, Spread]
    """How far qps, p50_ms, p95_ms and p99_ms may be off, by those slices; no qps where too few were answered."""


def is_client_bound(client_cpu: float, server_cpu: float | None, seconds: float, usable: int, cores: int) -> bool:
    """Tell whether the client was the limit: of the two, the one that computed longer for each core that it could use.

    The clients could use `usable` cores: as many as they are, or as there are. A server uses all its `cores`. A client
    that computed for less than a quarter of its time waited for something else – the network, or the server's answer.
    Where the server's time is not known, the client was the limit when it computed for over half of its own.
    """
    client = client_cpu / (seconds * usable)
    if server_cpu is None:
        return client > _BUSY
    return client > max(_IDLE, server_cpu / (seconds * cores))


class Fleet:
    """Client processes that live from point to point, since starting one takes .3 s of a core."""

    module = "pipeline.bench.load.client"

    def __init__(self, target: Reached) -> None:
        self.target = target
        self._clients: list[_Client] = []

    def measure(self, search: Search, parts: Sequence[Floats], load: Load) -> LoadFigures:
        """Send `parts`, (nq, dim) queries a request, for some seconds; UserError where that cannot be measured."""
        reports, server_cpu = self.replay(works(search, parts, load), search)
        return figures(reports, load, len(parts), len(parts[0]), server_cpu, len(os.sched_getaffinity(0)))

    def replay(
        self, shares: list[Work], search: Search, gate: Callable[[], None] = lambda: None
    ) -> tuple[list[Report], float | None]:
        """Replay a share in each client, all at once when `gate` is passed; give reports and the server's CPU seconds.

        The server's are those of the time that is measured; None where it is not on this machine.
        """
        try:
            return self._replay(shares, search, gate)
        except BaseException:
            self.close()  # a client that is in mid-work hears nothing else
            raise

    def _replay(
        self, shares: list[Work], search: Search, gate: Callable[[], None]
    ) -> tuple[list[Report], float | None]:
        clients, seconds = self._ready(len(shares)), shares[0].seconds
        for client, share in zip(clients, shares, strict=True):
            client.line.send(share)
        for first in self._heard(clients, shares[0].warm_up_s + _LONGEST_ANSWER_S):
            self.check(search, first)
        gate()
        start = time.monotonic() + _AHEAD_S
        for client in clients:
            client.line.send(start)
        server_cpu = cpu_during(self.target.server_pids, start, seconds, [c.line for c in clients])
        reports = self._heard(clients, _LONGEST_ANSWER_S + 3 * seconds)
        for report in reports:
            self.check(search, report)
        return reports, server_cpu

    def check(self, search: Search, heard: Any) -> None:
        """Raise UserError for what is no answer."""
        answers = heard.failures if isinstance(heard, Report) else [heard]
        wrong = next((found for answer in answers if (found := refusal(answer))), None)
        if wrong is None and isinstance(heard, Report):
            wrong = heard.error
        if wrong is not None:
            raise UserError(refusal_sentence(self.target.address, search.collection, *wrong, "it was measured"))

    def _ready(self, count: int) -> "list[_Client]":
        """Start as many clients as are missing."""
        fresh = [_Client(self.module) for _ in range(count - len(self._clients))]
        self._clients += fresh
        for client in fresh:
            client.line.send(self.target)
        for word in self._heard(fresh, _START_S):
            self.check_connected(word)
        return self._clients[:count]

    def check_connected(self, word: Any) -> None:
        """Raise UserError where a client's first word is that it did not connect; these say so later."""

    def _heard(self, clients: "list[_Client]", patience_s: float) -> list[Any]:
        """Wait for a word of each client; UserError where one dies or is silent for too long."""
        words: dict[Connection, Any] = {}
        deadline = time.monotonic() + patience_s
        while waiting := [c.line for c in clients if c.line not in words]:
            ready = wait(waiting, max(0.0, deadline - time.monotonic()))
            if not ready:
                raise UserError(
                    f"{self.target.address} did not answer within {patience_s:.0f} s: see `milvus status`, or choose a "
                    "smaller nq or a lower concurrency."
                )
            for line in ready:
                assert isinstance(line, Connection)
                try:
                    words[line] = line.recv()
                except (EOFError, ConnectionError):
                    died = next(c for c in clients if c.line is line)
                    raise UserError(
                        f"A client process of the load generator ended ({died.ending()}): this point has no figures; "
                        "measure it again, with fewer clients where memory is short."
                    ) from None
        return [words[c.line] for c in clients]

    def close(self) -> None:
        """End the clients."""
        for client in self._clients:
            client.end()
        self._clients = []


class _Client:
    """A client process and the line to it."""

    def __init__(self, module: str) -> None:
        here, there = socket.socketpair()
        with there:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(there.fileno())],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                process_group=0,  # an interrupt at the keyboard is for us
            )
        self.line = Connection(here.detach())

    def ending(self) -> str:
        code = self.process.wait(5)
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def end(self) -> None:
        self.line.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


def cpu_during(pids: Sequence[int], start: float, seconds: float, lines: Sequence[Connection] = ()) -> float | None:
    """Measure CPU seconds from a moment on for some seconds, less where one of `lines` has something to say before."""
    processes = tree(pids)
    time.sleep(max(0.0, start - time.monotonic()))
    before, began = cpu_seconds(processes), time.monotonic()
    left = max(0.0, start + seconds - time.monotonic())
    wait(lines, left) if lines else time.sleep(left)
    after, measured = cpu_seconds(processes), time.monotonic() - began
    return None if before is None or after is None else max(0.0, after - before) * seconds / measured


def works(search: Search, parts: Sequence[Floats], load: Load) -> list[Work]:
    """Cut all requests into a share for each client; with more clients than requests, several send the same one."""
    requests = serialised(search, parts) if load.client == "raw" else [list(part) for part in parts]
    about = {
        "collection": search.collection, "field": search.field, "metric": search.metric,
        "params": dict(search.params), "top_k": search.top_k,
    }  # fmt: skip
    rate = load.rate / load.concurrency if load.rate else None
    return [
        Work(
            requests[number :: load.concurrency] or [requests[number % len(requests)]],
            load.seconds,
            load.warm_up_s,
            rate,
            number / load.rate if load.rate else 0.0,
            load.client,
            about,
        )
        for number in range(load.concurrency)
    ]


def figures(
    reports: list[Report], load: Load, count: int, nq: int, server_cpu: float | None, client_cores: int
) -> LoadFigures:
    """Add up what all clients measured over `count` requests of `nq` queries; `client_cores` are their machines'."""
    answers: list[Any] = [None] * count
    for number, report in enumerate(reports):
        if number < count:
            answers[number :: load.concurrency] = report.answers
    times = latency_percentiles([report.histograms for report in reports])
    qps = sum(r.requests * nq / r.seconds for r in reports)
    answered = [sum(slices) * nq for slices in zip(*(r.answered for r in reports), strict=True)]
    client_cpu = sum(r.cpu_s * load.seconds / r.seconds for r in reports)  # of the time that the server's is of
    ours = len(os.sched_getaffinity(0))
    return LoadFigures(
        qps=qps,
        **{name: spread.value for name, spread in times.items()},
        client_cpu=client_cpu,
        server_cpu=server_cpu,
        client_bound=is_client_bound(client_cpu, server_cpu, load.seconds, min(load.concurrency, client_cores), ours),
        seconds=max(r.seconds for r in reports),
        requests=sum(r.requests for r in reports),
        unsent=sum(r.unsent for r in reports),
        answers=answers,
        answered=answered,
        spreads=rate(qps, answered) | times,
    )
