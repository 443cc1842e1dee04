"""One client process that asks what is served, by one of its ways; fleet.py starts it and tells it when.

Run as `python -m pipeline.bench.serving.client DESCRIPTOR`: as the load generator's own client, over the same loop.
"""

import contextlib
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bench.load.client import histograms, replay
from pipeline.bench.load.messages import Report, Work
from pipeline.core.errors import UserError
from pipeline.search.embedded.life import die_with_parent
from pipeline.search.milvus.refusals import Meaning
from pipeline.serving.stages.answer import Answers
from pipeline.serving.stages.fast import FastPath, batch
from pipeline.serving.stages.histories import Requests

Ask = Callable[[Any], dict[str, float]]


@dataclass(frozen=True)
class ServingTarget:
    """What a client asks, and which way."""

    root: Path
    """Of the workspace."""
    via: str
    model: str
    index: str
    address: str = ""
    """Of Triton."""
    temperature: float = 0.5

    @property
    def server_pids(self) -> tuple[int, ...]:
        """Give none: the fast path is its own server."""
        return ()


@contextlib.contextmanager
def way(asked: ServingTarget) -> Any:
    """Give the call that answers (keys, values, offsets) with {stage: milliseconds}."""
    from pipeline.search.embedded.server import connect
    from pipeline.serving.stages.served import find_served
    from pipeline.store.workspace import Workspace

    workspace = Workspace.open(asked.root)
    served = find_served(workspace, asked.model, asked.index)

    def call(answer: Callable[..., Answers], *engine: Any) -> Ask:
        def ask(request: Any) -> dict[str, float]:
            keys, values, offsets = request
            found = answer(keys, Requests(values, offsets), *engine, *batch(asked.temperature, 1, len(keys)))
            return dict(found.latency_ms)

        return ask

    if asked.via == "triton":
        from pipeline.serving.triton.client import TritonClient

        client = TritonClient(asked.address, served.ranker is not None, served.fingerprint)
        try:
            yield call(client.answer)
        finally:
            client.close()
    else:
        with connect(workspace, "serve load", name=served.index["server"]) as engine:
            yield call(FastPath(served).answer, engine)


def serve(line: Connection) -> None:
    """Answer fleet.py: connect, then for each work warm up, say so, and replay it from the moment that is told."""
    try:
        with way(line.recv()) as ask:
            line.send("connected")
            while (work := line.recv()) is not None:
                try:
                    line.send(_measured(ask, work, line))
                except UserError as error:
                    line.send(_refused(error))
    except UserError as error:
        line.send(_refused(error))


def _measured(ask: Ask, work: Work, line: Connection) -> Report:
    ask(work.requests[0])
    replay(ask, work, time.monotonic(), work.warm_up_s, _never)
    line.send("warm")
    start = line.recv()
    gc.disable()
    report, latencies = replay(ask, work, start, work.seconds, _never)
    gc.enable()
    report.histograms = histograms(latencies, report.answered)
    answered = [answer for answer in report.answers if answer is not None]
    names = answered[0] if answered else ()
    report.answers = [{name: float(np.median([answer[name] for answer in answered])) for name in names}]
    return report


def _never(answer: Any) -> bool:
    """Tell that no answer is a refusal: those are raised."""
    return False


def _refused(error: UserError) -> Report:
    return Report(error=(Meaning.OTHER, str(error)))


def main() -> None:
    """Serve until the other side is gone."""
    die_with_parent()
    with contextlib.suppress(EOFError, ConnectionError, KeyboardInterrupt):
        serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
