"""Runs: a sweep's points measured one by one, each written down as it is there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.bench import runs
from pipeline.bench.data.scenarios import Scenario, prepare_scenario
from pipeline.bench.data.truth import truth
from pipeline.bench.run.collection import read_collection
from pipeline.bench.run.grid import Build
from pipeline.bench.run.index import drop_all
from pipeline.bench.run.machine import hardware, versions
from pipeline.bench.run.measuring import Measuring, PointRow
from pipeline.bench.run.plan import Plan, Point, SweepConfig, as_json, keyed, measured, pieces_of, plan, start_pieces
from pipeline.bench.run.target import Served
from pipeline.bench.runs import Recorder, Run
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.spread import kept, told_apart
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import Pieces
from pipeline.search.compatibility import ServerFacts, why_not
from pipeline.search.embedded import server
from pipeline.store.workspace import Workspace

_CLEARLY = 1.1  # how many times as many QPS another setting must have for this one to be left out


@dataclass(frozen=True)
class Prepared:
    """All that is there before a server is measured."""

    config: SweepConfig
    scenario: Scenario
    plan: Plan


def prepared(workspace: Workspace, config: SweepConfig, progress: Progress = silent) -> Prepared:
    """Draw the scenario's vectors and list the points; UserError for what cannot be measured."""
    if "://" not in config.server:
        _check_types(config, server.server_facts(workspace, config.server))
    if config.collection:
        found = read_collection(workspace, config, progress)
        config, scenario = config.replace(indexes=found.indexes), found.scenario
    else:
        scenario = prepare_scenario(workspace, config.scenario, progress)
    rows, dim = scenario.vectors.shape
    made = plan(config, rows, dim, len(scenario.queries), Past(workspace))
    for grid in config.indexes:
        if scenario.metric not in (allowed := grid.index.metrics):
            raise UserError(
                f"{grid.index.name} has no metric '{scenario.metric}': choose --metric {' or '.join(allowed)}."
            )
    return Prepared(config, scenario, made)


def resumable(workspace: Workspace, config: SweepConfig, goal: Any = None) -> str | None:
    """Name the newest run of the same config, and goal if it tunes, that was cut off, or give None."""
    wanted = _asked(config, goal)
    same = (r for r in runs.list_runs(workspace) if r.config == wanted)
    newest = next(same, None)
    return newest.name if newest and newest.status in ("cancelled", "interrupted", "failed") else None


def fresh_name(config: SweepConfig, kind: str = "") -> str:
    """Name a run by its scenario, its index and the time."""
    kinds = sorted({grid.index.name.lower() for grid in config.indexes})
    what = config.collection.lower() or config.scenario.scenario
    parts = (kind, what, kinds[0] if len(kinds) == 1 else "indexes", f"{datetime.now(UTC):%Y%m%d-%H%M%S}")
    return "-".join(filter(None, parts))


def sweep(
    workspace: Workspace, name: str, ready: Prepared, starting: Progress = silent, progress: Progress = silent
) -> Run:
    """Measure the points that run `name` does not have yet; what was measured is kept, however this ends.

    `starting` hears of the exact neighbours and the server's start, `progress` of the points.
    """
    with measuring(workspace, name, ready, len(ready.plan.points), starting, progress) as open_run:
        _Sweep(open_run, ready).run()
    return runs.find_run(workspace, name)


@contextmanager
def measuring(
    workspace: Workspace,
    name: str,
    ready: Prepared,
    planned: int,
    starting: Progress = silent,
    progress: Progress = silent,
    goal: Any = None,
) -> Iterator[Measuring]:
    """Open run `name` and a server for the block; collections that it makes are gone afterwards.

    With a `goal` what failed is kept as well when the run goes on: the trials after it were chosen by it.
    """
    config, drawn = ready.config, ready.scenario
    with Recorder(workspace, name) as recorder:
        asked, seed = _asked(config, goal), config.scenario.seed
        recorder.begin(asked, hardware(), {}, seed, planned, keep_failed=goal is not None, vectors=drawn.inputs)
        pieces = Pieces([], Past(workspace), progress)
        begun = time.monotonic()
        best = truth(workspace, drawn.vectors, drawn.queries, max(config.top_k), drawn.metric, starting)
        with Served(workspace, config.server, f"bench {name}", starting, config.dask) as served:
            recorder.tell_versions(versions(served.engine.version()))
            _check_types(config, server.server_facts(workspace, config.server, served.engine))
            drop_all(workspace, served.engine)
            rows, dim = drawn.vectors.shape
            first = start_pieces(rows, dim, len(drawn.queries))
            pieces.past.took(first.kind, first.formula_s, time.monotonic() - begun)
            try:
                yield Measuring(workspace, config, drawn, served, recorder, best, pieces)
            finally:
                with suppress(UserError):  # of a server that is gone: the next run drops them
                    drop_all(workspace, served.engine)


def _asked(config: SweepConfig, goal: Any) -> dict[str, Any]:
    return as_json(config) | ({"goal": goal} if goal else {})


def _check_types(config: SweepConfig, facts: ServerFacts) -> None:
    for grid in config.indexes:
        if reason := why_not(grid.index, facts):
            raise UserError(reason)


class _Sweep:
    """A plan under way."""

    def __init__(self, measuring: Measuring, ready: Prepared) -> None:
        self.measuring, self.config = measuring, ready.config
        self.first = ready.plan.points[0]
        known = {keyed(row) for row in measuring.rows}
        self.left = [point for point in ready.plan.points if keyed(point.row) not in known]

    def run(self) -> None:
        """Measure what is left, build by build."""
        for asked in dict.fromkeys(point.build for point in self.left):
            points = [point for point in self.left if point.build == asked]
            self._plan()
            built = self.measuring.build(asked)
            self._plan(asked)
            for point in points:
                if isinstance(built, str):
                    row = self.measuring.add(point, {"error": built})
                elif self.config.skip_dominated and (better := self._dominating(point)):
                    reason = f"Left out: {better} had at least its recall and clearly more QPS."
                    row = self.measuring.add(point, {"error": reason})
                else:
                    with self.measuring.pieces.doing(measured(self.config), str(point)):
                        row = self.measuring.measure(point, built)
                self.left.remove(point)
                self._plan(asked)
                self._say(str(point), row)
            if not isinstance(built, str) and not self.config.collection:
                self.measuring.served.engine.drop(built.collection)

    def _dominating(self, point: Point) -> str | None:
        """Name a setting that was better at the first nq and concurrency, where this one was measured too."""
        first = replace(point, nq=self.first.nq, concurrency=self.first.concurrency)
        same = [r for r in self.measuring.rows if r["error"] is None and _load_of(r) == _load_of(first.row)]
        own = next((r for r in same if keyed(r) == keyed(first.row)), None)
        if own is None or keyed(point.row) == keyed(own):
            return None
        better = (r for r in same if r["recall"] >= own["recall"] and _clearly_faster(r, own))
        return next((f"{r['index']} {r['build']} {r['search']}" for r in better), None)

    def _say(self, text: str, row: PointRow | None = None) -> None:
        live = {k: float(row[k]) for k in ("recall", "qps", "p99_ms")} if row and row["qps"] is not None else None
        self.measuring.pieces.say(text, live)

    def _plan(self, built: Build | None = None) -> None:
        """List what is left to do; points of the index that is `built` need no build."""
        rows, dim = self.measuring.scenario.vectors.shape
        self.measuring.pieces.left = pieces_of(self.config, self.left, rows, dim, built)


def _clearly_faster(row: PointRow, other: PointRow) -> bool:
    """Tell whether a point answered clearly more than another, by more than either may be off."""
    one, than = (kept(r["qps"], r.get("qps_low"), r.get("qps_high")) for r in (row, other))
    return one.value >= _CLEARLY * than.value and told_apart(one, [than])


def _load_of(row: PointRow) -> tuple[Any, ...]:
    return tuple(row[k] for k in ("nq", "concurrency", "top_k", "client", "loop", "rate", "repeat"))
