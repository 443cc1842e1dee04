"""Load on what is served: sessions/s and latency by each way of answering, and where the time goes."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl

from pipeline.bench.load.fleet import Fleet, Load, figures
from pipeline.bench.load.messages import Report, Work
from pipeline.bench.load.requests import Search
from pipeline.bench.serving.client import ServingTarget
from pipeline.core.checks import one_of
from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID
from pipeline.core.errors import UserError
from pipeline.core.ids import parts
from pipeline.core.progress import Progress, silent
from pipeline.serving.features.tables import session_keys
from pipeline.serving.stages.answer import STAGES
from pipeline.serving.stages.histories import MOST_SESSIONS, Requests
from pipeline.serving.stages.served import ServedModel, find_served
from pipeline.serving.triton import server
from pipeline.sessions import preprocess
from pipeline.store.workspace import Workspace, read_json, write_json

WAYS = ("fast", "triton")
RESULT = "serving-load.json"  # in the workspace: the newest
_SESSIONS = 512  # asked in turn
_MOST_CLIENTS = 64
_ASKED = Search("", "", {}, 0)  # the fleet's clients ask vectors; these ask sessions


@dataclass(frozen=True)
class LoadConfig:
    """What is measured: each way at each number of clients, one session a request, and once in batches."""

    ways: tuple[str, ...] = WAYS
    clients: tuple[int, ...] = (1, 4, 16)
    batch: int = 32
    seconds: float = 5.0

    @staticmethod
    def read(via: str, clients: str, batch: int, seconds: float) -> "LoadConfig":
        """Read what a person writes, with commas between ways and numbers; raise UserError for what cannot be."""
        try:
            numbers = tuple(int(part) for part in clients.split(","))
        except ValueError:
            raise UserError(f"clients '{clients}' is no list of whole numbers: write them as 1,4,16.") from None
        return LoadConfig(tuple(parts(via)), numbers, batch, seconds)._checked()

    def _checked(self) -> "LoadConfig":
        for via in self.ways:
            one_of(via, WAYS, "via")
        wrong = [n for n in self.clients if not 1 <= n <= _MOST_CLIENTS]
        if wrong or not self.clients:
            raise UserError(
                f"clients {wrong or 'none'} is out of range: choose 1 to {_MOST_CLIENTS} of them, such as 1,4,16."
            )
        if not 1 <= self.batch <= MOST_SESSIONS:
            raise UserError(f"batch {self.batch} is out of range: choose 1 to {MOST_SESSIONS:,} sessions.")
        if not 0.2 <= self.seconds <= 600:
            raise UserError(f"seconds {self.seconds:g} is out of range: choose 0.2 to 600 for each point.")
        return self

    def points(self) -> list[tuple[str, int, int]]:
        """List (way, clients, batch)."""
        batches = [(1, self.batch)] if self.batch > 1 else []
        return [(via, *point) for via in self.ways for point in [*((n, 1) for n in self.clients), *batches]]


class ServingFleet(Fleet):
    """Client processes that ask what is served."""

    module = "pipeline.bench.serving.client"

    def check_connected(self, word: Any) -> None:
        """Raise UserError where a client cannot ask."""
        self.check(_ASKED, word)

    def check(self, search: Search, heard: Any) -> None:
        """Raise UserError for a refusal, as the client was told it."""
        if isinstance(heard, Report) and heard.error is not None:
            raise UserError(heard.error[1])


def measure_load(
    workspace: Workspace,
    config: LoadConfig,
    model: str | None = None,
    index: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure and keep the result; raise UserError for what is not served."""
    points = config.points()
    served = find_served(workspace, model, index)
    if "triton" in config.ways:
        server.address(workspace)  # or say at once that none runs
    keys, histories = _sessions(workspace)
    rows: list[dict[str, Any]] = []
    for via, of_way in groupby(points, key=itemgetter(0)):
        with closing(ServingFleet(_asked(workspace, served, via))) as fleet:
            for _, clients, batch in of_way:
                how = f"{clients} clients" if batch == 1 else f"batches of {batch}"
                progress(len(rows), len(points), f"{via}, {how}")
                rows.append(_point(fleet, via, clients, batch, config.seconds, keys, histories))
    progress(1, 1, "measured")
    result = {"rows": rows, "added": _added_parts(rows), **_about(served)}
    write_json(workspace.root / RESULT, result)
    return result


def newest(workspace: Workspace) -> dict[str, Any] | None:
    """Give what was measured last, None where nothing was."""
    return read_json(workspace.root / RESULT)


def _asked(workspace: Workspace, served: ServedModel, via: str) -> ServingTarget:
    address = server.address(workspace) if via == "triton" else ""
    return ServingTarget(workspace.root, via, str(served.index["model"]), str(served.index["name"]), address)


def _sessions(workspace: Workspace) -> tuple[np.ndarray, list[list[int]]]:  # type: ignore[type-arg]
    clicks = preprocess.load_part(workspace, "test").filter(pl.col(ITEM_IDX) >= FIRST_IDX)
    some = clicks.group_by(SESSION_ID, maintain_order=True).agg(ITEM_IDX).head(_SESSIONS)
    if some.is_empty():
        raise UserError(
            "No test session has clicked an item that training has seen: `preprocess` with an earlier split."
        )
    return session_keys(some[SESSION_ID]), some[ITEM_IDX].to_list()


def _point(
    fleet: ServingFleet, via: str, clients: int, batch: int, seconds: float, keys: Any, histories: Sequence[list[int]]
) -> dict[str, Any]:
    load = Load(seconds, clients)
    requests = _requests(keys, histories, batch)
    shares = [Work(requests[n::clients] or requests, seconds, load.warm_up_s) for n in range(clients)]
    reports, _ = fleet.replay(shares, _ASKED)
    stages = [report.answers[0] for report in reports if report.answers[0]]
    for report in reports:
        report.answers = []
    found = figures(reports, load, 0, batch, None, os.cpu_count() or 1)
    spread = found.spreads.get("qps")
    return {
        "via": via,
        "clients": clients,
        "batch": batch,
        "sessions_per_s": round(found.qps, 1),
        "sessions_per_s_low": None if spread is None else round(spread.low, 1),
        "sessions_per_s_high": None if spread is None else round(spread.high, 1),
        **{name: round(getattr(found, name), 2) for name in ("p50_ms", "p95_ms", "p99_ms")},
        "requests": found.requests,
        "stages": {name: round(float(np.median([one[name] for one in stages])), 3) for name in ("total", *STAGES)},
    }


def _requests(keys: Any, histories: Sequence[list[int]], batch: int) -> list[Any]:
    """Lay out requests of `batch` sessions each; the first sessions again where they do not come out even."""
    rows = np.arange(-(-len(keys) // batch) * batch) % len(keys)
    asked = [rows[low : low + batch] for low in range(0, len(rows), batch)]
    laid = [(keys[some], Requests.of([histories[row] for row in some])) for some in asked]
    return [(some, requests.values, requests.offsets) for some, requests in laid]


def _added_parts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tell what each part of Triton's way adds to the fast path, ms of one session alone; [] where one is missing."""
    alone = {row["via"]: row["stages"] | {"p50": row["p50_ms"]} for row in rows if row["clients"] == row["batch"] == 1}
    if set(alone) != set(WAYS):
        return []
    fast, triton = alone["fast"], alone["triton"]
    stages_of = {
        "Feast": ("session features", "item features"),
        "TensorFlow": ("encode", "score"),
        "QueryMilvus": ("retrieve",),
        "filter and order": ("filter", "order"),
    }
    found = [_added(name, fast, triton, stages) for name, stages in stages_of.items()]
    outside = {name: one["p50"] - sum(one[stage] for stage in STAGES) for name, one in alone.items()}
    triton_own = {"part": "Triton and the wire", "fast_ms": outside["fast"], "triton_ms": outside["triton"]}
    rounded = [{k: v if k == "part" else round(max(v, 0.0), 2) for k, v in row.items()} for row in [*found, triton_own]]
    return [row | {"added_ms": round(row["triton_ms"] - row["fast_ms"], 2)} for row in rounded]


def _added(part: str, fast: Mapping[str, float], triton: Mapping[str, float], stages: Sequence[str]) -> dict[str, Any]:
    return {
        "part": part,
        "fast_ms": sum(fast[stage] for stage in stages),
        "triton_ms": sum(triton[stage] for stage in stages),
    }


def _about(served: ServedModel) -> dict[str, Any]:
    """Tell what was measured, and where."""
    return {
        "model": served.index["model"],
        "index": served.index["name"],
        "ranker": served.ranker_name,
        "stages": served.stages,
        "items": len(served.known.rows),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "measured": time.time(),
    }
