"""One client process: replays requests that were made before, over a channel of its own, and keeps what came back.

Run as `python -m pipeline.bench.load.client DESCRIPTOR` by fleet.py, which it answers over that socket. It imports
next to nothing before it has entered the server's network: only a process of one thread may.
"""

import base64
import contextlib
import ctypes
import gc
import math
import signal
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from pipeline.bench.load.messages import DIGITS, HIGHEST_US, LOWEST_US, TIME_SLICES, Report, Target, Work
from pipeline.search.milvus.refusals import meaning

SEARCH = "/milvus.proto.milvus.MilvusService/Search"
_KEPT_FAILURES = 3
_DEATH_SIGNAL, _TIMER_SLACK = 1, 29  # prctl(2)


def is_refused(answer: bytes) -> bool:
    """Tell whether an answer's status is an error, by its first bytes, since parsing it would measure the client.

    A message SearchResults begins with its status: tag 0x0a, length, then what differs from "success": error_code,
    reason or code; a success leaves these out, so that it is empty or begins with extra_info (tag 0x32).
    """
    return answer[:1] != b"\x0a" or not (answer[1] == 0 or answer[2] == 0x32)


def replay(
    ask: Callable[[Any], Any], work: Work, start: float, seconds: float, refused: Callable[[Any], bool]
) -> tuple[Report, list[float]]:
    """Ask from the moment `start` of the monotonic clock on for some seconds; give the report and all latencies (s).

    Where a rate is given, requests are due at fixed times whatever the answers take, and latencies count from when a
    request was due: a server that stalls is charged for every request that it held up (no coordinated omission).
    """
    clock, requests, rate = time.monotonic, work.requests, work.rate
    report, latencies, ended = Report(answers=[None] * len(requests)), [], []
    first, stop, index = start + (work.lag_s if rate else 0.0), start + seconds, 0
    now = _sleep_until(first)
    due, cpu = first if rate else now, time.process_time()
    while now < stop and due < stop:
        answer = ask(requests[index])
        now = clock()
        latencies.append(now - due)
        ended.append(now)
        report.answers[index] = answer
        if refused(answer):
            _note(report, index)
        report.requests += 1
        index = index + 1 if index + 1 < len(requests) else 0
        due = first + report.requests / rate if rate else now
        if due > now:
            now = _sleep_until(due)
    report.cpu_s, report.seconds = time.process_time() - cpu, max(now, stop) - start
    report.answered = per_slice(ended, start, seconds)
    if rate:  # behind its schedule: what is due has waited so far, and would wait longer
        waiting = (now - first - n / rate for n in range(report.requests, math.ceil((stop - first) * rate)))
        held_up = [wait for wait in waiting if wait > 0]
        report.unsent = len(held_up)
        latencies += held_up
    return report, latencies


def per_slice(ended: list[float], start: float, seconds: float) -> list[int]:
    """Count the answers that ended, in order, in each slice of the time; those after it are of the last slice."""
    until = [bisect_left(ended, start + n * seconds / TIME_SLICES) for n in range(1, TIME_SLICES)]
    return [high - low for low, high in zip([0, *until], [*until, len(ended)], strict=True)]


def _note(report: Report, index: int) -> None:
    report.failed += 1
    report.failures = [*report.failures, report.answers[index]][:_KEPT_FAILURES]
    report.answers[index] = None


def _sleep_until(moment: float) -> float:
    while (now := time.monotonic()) < moment:
        time.sleep(moment - now)
    return now


def rest(ask: Callable[[Any], Any], work: Work, report: Report, refused: Callable[[Any], bool], limit_s: float) -> None:
    """Ask, off the clock, what there was no time for, so that recall is over the same queries at every point."""
    began = time.monotonic()
    for index, answer in enumerate(report.answers):
        if answer is None and time.monotonic() - began < limit_s:
            late = ask(work.requests[index])
            report.answers[index] = None if refused(late) else late


def latency_histogram(latencies: list[float]) -> bytes:
    """Count latencies (s) in an HDR histogram of microseconds, encoded."""
    from hdrh.histogram import HdrHistogram

    counts = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for latency in latencies:
        counts.record_value(max(LOWEST_US, round(latency * 1e6)))
    return counts.encode()


def histograms(latencies: list[float], answered: list[int]) -> list[bytes]:
    """Count latencies slice by slice; what is still waiting at the end comes after all that was answered."""
    starts = [sum(answered[:n]) for n in range(len(answered))]
    return [latency_histogram(latencies[low:high]) for low, high in zip(starts, [*starts[1:], None], strict=True)]


class Caller:
    """A connection of this process, and how it asks."""

    def __init__(self, target: Target) -> None:
        """Connect from within the server's network, where it can be entered."""
        from pipeline.search.embedded import network

        inside = bool(target.pid) and network.join(target.pid)
        import grpc  # only now: it starts threads

        self.target, self.address = target, target.inner if inside else target.address
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if target.tls:
            self.channel = grpc.secure_channel(self.address, grpc.ssl_channel_credentials(), options=unlimited)
        else:
            self.channel = grpc.insecure_channel(self.address, options=unlimited)

    def raw(self) -> Callable[[bytes], bytes]:
        """Give a call that takes and gives bytes."""
        call = self.channel.unary_unary(SEARCH)
        token = self.target.token
        metadata = (("authorization", base64.b64encode(token.encode()).decode()),) if token else ()
        return lambda request: call(request, metadata=metadata)

    def pymilvus(self, search: dict[str, Any]) -> Callable[[Any], list[list[int]]]:
        """Give a call that asks as users of pymilvus do, and gives the ids."""
        from pymilvus import Collection, connections

        scheme = "https" if self.target.tls else "http"
        connections.connect("bench", uri=f"{scheme}://{self.address}", token=self.target.token)
        collection = Collection(search["collection"], using="bench")
        param = {"metric_type": search["metric"], "params": search["params"]}

        def ask(queries: Any) -> list[list[int]]:
            found = collection.search(queries, search["field"], param, search["top_k"], consistency_level="Eventually")
            return [list(hits.ids) for hits in found]

        return ask


def serve(line: Connection) -> None:
    """Answer fleet.py: connect, then for each work warm up, say so, and replay it from the moment that is told."""
    caller = Caller(line.recv())
    line.send(caller.address)
    while (work := line.recv()) is not None:
        try:
            raw = work.client == "raw"
            refused = is_refused if raw else lambda answer: False
            ask: Callable[[Any], Any] = caller.raw() if raw else caller.pymilvus(work.search)
            first = ask(work.requests[0])
            replay(ask, work, time.monotonic(), work.warm_up_s, refused)
            line.send(first)
            start = line.recv()
            gc.disable()
            report, latencies = replay(ask, work, start, work.seconds, refused)
            gc.enable()
            report.histograms = histograms(latencies, report.answered)
            if not report.failed:
                rest(ask, work, report, refused, max(2 * work.seconds, 5.0))
            line.send(report)
        except Exception as error:  # of gRPC or pymilvus: the other side makes a sentence of it
            meant, text = meaning(error)
            line.send(Report(error=(meant, f"{type(error).__name__}: {text}"[:500])))


def main() -> None:
    """Serve until the other side is gone."""
    libc = ctypes.CDLL(None)
    libc.prctl(_TIMER_SLACK, 1, 0, 0, 0)  # a sleep ends within 1 ns of its time, and not of 50 µs
    libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    with contextlib.suppress(EOFError, ConnectionError, KeyboardInterrupt):
        serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
