"""Measure what a plan lists, point by point, each written down as it is there."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.bench import runs
from pipeline.bench.built import BuiltIndex, TooSlow, build, drop_all
from pipeline.bench.fleet import Figures, Load
from pipeline.bench.machine import hardware, versions
from pipeline.bench.plan import Build, Plan, Point, SweepConfig, as_json, estimated_s, keyed, plan
from pipeline.bench.requests import Search, found, split
from pipeline.bench.runs import Recorder, Run
from pipeline.bench.scenarios import Scenario, prepare
from pipeline.bench.served import Served
from pipeline.bench.truth import recall_with_interval, truth
from pipeline.errors import UserError
from pipeline.progress import Progress, silent
from pipeline.text import duration
from pipeline.vectors import server
from pipeline.vectors.catalogue import index_type
from pipeline.vectors.measure import shares
from pipeline.vectors.memory import Rows
from pipeline.vectors.support import ServerFacts, why_not
from pipeline.workspace import Workspace

_CLEARLY = 1.1  # how many times as many QPS another setting must have for this one to be left out


@dataclass(frozen=True)
class Prepared:
    """All that is there before a server is asked."""

    config: SweepConfig
    scenario: Scenario
    plan: Plan


def prepared(workspace: Workspace, config: SweepConfig, progress: Progress = silent) -> Prepared:
    """Draw the scenario's vectors and list the points; UserError for what cannot be measured."""
    if "://" not in config.server:
        _check_types(config, server.facts(workspace, config.server))
    scenario = prepare(workspace, config.scenario, progress)
    rows, dim = scenario.vectors.shape
    made = plan(config, rows, dim, len(scenario.queries))
    for grid in config.indexes:
        if scenario.metric not in (allowed := index_type(grid.index).metrics):
            raise UserError(f"{grid.index} has no metric '{scenario.metric}': choose --metric {' or '.join(allowed)}.")
    return Prepared(config, scenario, made)


def resumable(workspace: Workspace, config: SweepConfig) -> str | None:
    """Name the newest run of the same config that was cut off, or give None."""
    wanted = as_json(config)
    same = (r for r in runs.list_runs(workspace) if r.config == wanted)
    newest = next(same, None)
    return newest.name if newest and newest.status in ("cancelled", "interrupted", "failed") else None


def fresh_name(config: SweepConfig) -> str:
    """Name a run by its scenario, its index and the time."""
    kinds = sorted({grid.index.lower() for grid in config.indexes})
    return f"{config.scenario.scenario}-{kinds[0] if len(kinds) == 1 else 'indexes'}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def sweep(
    workspace: Workspace, name: str, ready: Prepared, starting: Progress = silent, progress: Progress = silent
) -> Run:
    """Measure the points that run `name` does not have yet; what was measured is kept, however this ends.

    `starting` hears of the exact neighbours and the server's start, `progress` of the points.
    """
    with Recorder(workspace, name) as recorder:
        config = ready.config
        recorder.begin(as_json(config), hardware(), {}, config.scenario.seed, len(ready.plan.points))
        drawn, most = ready.scenario, max(config.top_k)
        best = truth(workspace, drawn.vectors, drawn.queries, most, drawn.metric, starting)
        with Served(workspace, config.server, f"bench {name}", starting, config.dask) as served:
            recorder.tell_versions(versions(served.engine.version()))
            _check_types(config, server.facts(workspace, config.server, served.engine))
            try:
                _Sweep(workspace, ready, served, recorder, progress).run(best)
            finally:
                with suppress(UserError):  # of a server that is gone: the next run drops them
                    drop_all(workspace, served.engine)
    return runs.find(workspace, name)


def _check_types(config: SweepConfig, facts: ServerFacts) -> None:
    for grid in config.indexes:
        if reason := why_not(index_type(grid.index), facts):
            raise UserError(reason)


class _Sweep:
    """One run under way."""

    def __init__(
        self, workspace: Workspace, ready: Prepared, served: Served, recorder: Recorder, progress: Progress
    ) -> None:
        self.workspace, self.config, self.scenario, self.served = workspace, ready.config, ready.scenario, served
        self.recorder, self.progress = recorder, progress
        known = {keyed(row) for row in recorder.rows()}
        self.left = [point for point in ready.plan.points if keyed(point.row) not in known]
        self.all, self.done = list(ready.plan.points), len(ready.plan.points) - len(self.left)
        self.measured: list[dict[str, Any]] = recorder.rows()

    def run(self, best: Rows) -> None:
        """Measure what is left, build by build; `best` (q, k) are the exact neighbours."""
        drop_all(self.workspace, self.served.engine)
        for asked in dict.fromkeys(point.build for point in self.left):
            points = [point for point in self.left if point.build == asked]
            built = self._built(asked, points)
            if built:
                for point in points:
                    self._point(point, built, best)
                self.served.engine.drop(built.collection)

    def _built(self, asked: Build, points: list[Point]) -> BuiltIndex | None:
        """Build an index, once more where the server went away under it; say in every point why there is none."""
        for attempt in range(2):
            try:
                self._say(f"building {asked.index}")
                where = (self.workspace, self.served.engine, self.scenario)
                return build(*where, asked, self.config.build_limit, self.served.home)
            except TooSlow as error:
                reason = str(error)
                if self.served.embedded:
                    self.served.restart()  # else the next build waits behind it
                break
            except UserError as error:
                reason = str(error)
                if not self.served.back() or attempt:
                    break
        for point in points:
            self._add(point, {"error": reason})
        return None

    def _point(self, point: Point, built: BuiltIndex, best: Rows) -> None:
        """Measure a point, once more where the server or a client went away under it."""
        if self.config.skip_dominated and (better := self._dominating(point)):
            return self._add(point, {"error": f"Left out: {better} had at least its recall and clearly more QPS."})
        took = {key: value for key, value in asdict(built).items() if key != "collection"}
        for attempt in range(2):
            try:
                self._say(str(point))
                return self._add(point, took | self._figures(point, built, best))
            except UserError as error:
                reason = str(error)
                if self.served.back():
                    self.served.engine.load(built.collection)
                elif attempt:
                    break
        return self._add(point, took | {"error": reason})

    def _figures(self, point: Point, built: BuiltIndex, best: Rows) -> dict[str, Any]:
        scenario, config = self.scenario, self.config
        search = Search(built.collection, scenario.metric, dict(point.search), point.top_k)
        parts = split(scenario.queries, point.nq)
        load = Load(config.seconds, point.concurrency, point.rate, point.client)
        figures = self.served.fleet.measure(search, parts, load)
        return _row(figures, load, point) | self._recall(figures, point, best)

    def _recall(self, figures: Figures, point: Point, best: Rows) -> dict[str, float]:
        """Compare what was answered with the exact neighbours, off the clock."""
        asked = [n for n, answer in enumerate(figures.answers) if answer is not None]
        answers = np.concatenate([found(figures.answers[n], point.nq, point.top_k) for n in asked])
        rows = np.concatenate([np.arange(n * point.nq, (n + 1) * point.nq) for n in asked])
        scenario = self.scenario
        share = shares(scenario.vectors, scenario.queries[rows], answers, best[rows, : point.top_k], scenario.metric)
        mean, low, high = recall_with_interval(share, scenario.population)
        return {"recall": round(mean, 5), "recall_low": round(low, 5), "recall_high": round(high, 5)}

    def _dominating(self, point: Point) -> str | None:
        """Name a setting that was better at the first nq and concurrency, where this one was measured too."""
        first = replace(point, nq=self.config.nq[0], concurrency=self.config.concurrency[0])
        same = [r for r in self.measured if r["error"] is None and _load_of(r) == _load_of(first.row)]
        own = next((r for r in same if keyed(r) == keyed(first.row)), None)
        if own is None or keyed(point.row) == keyed(own):
            return None
        better = (r for r in same if r["recall"] >= own["recall"] and r["qps"] >= _CLEARLY * own["qps"])
        return next((f"{r['index']} {r['build']} {r['search']}" for r in better), None)

    def _add(self, point: Point, figures: dict[str, Any]) -> None:
        where = {
            "scenario": self.scenario.name,
            "server": self.config.server,
            "device": index_type(point.build.index).device,
            "metric": self.scenario.metric,
            "at": runs.now(),
        }
        row = self.recorder.add(where | point.row | figures)
        self.measured.append(row)
        self.done += 1
        self._say(str(point), row)

    def _say(self, text: str, row: dict[str, Any] | None = None) -> None:
        left = self.all[self.done :]
        seconds = estimated_s(self.config, left, *self.scenario.vectors.shape)
        live = {k: float(row[k]) for k in ("recall", "qps", "p99_ms")} if row and row["qps"] is not None else None
        self.progress(self.done, len(self.all), f"{text}, about {duration(seconds)} left", point=live)


def _row(figures: Figures, load: Load, point: Point) -> dict[str, Any]:
    numbers: Iterator[tuple[str, Any]] = ((k, v) for k, v in vars(figures).items() if k in runs.COLUMNS)
    row = {k: round(v, 4) if isinstance(v, float) else v for k, v in numbers}
    if load.rate and figures.unsent:
        offered = figures.requests + figures.unsent
        row["note"] = (
            f"The rate was not kept: {figures.unsent:,} of {offered:,} requests were still waiting at the end."
        )
    return row


def _load_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[k] for k in ("nq", "concurrency", "top_k", "client", "loop", "rate", "repeat"))
