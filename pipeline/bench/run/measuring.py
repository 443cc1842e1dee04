"""One point after another on a server that may go away: built, asked, compared with what is exact, written down."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.bench import runs
from pipeline.bench.data.scenarios import Scenario
from pipeline.bench.data.truth import recall_with_interval
from pipeline.bench.load.fleet import Load, LoadFigures
from pipeline.bench.load.requests import Search, asked_by, found, split_requests
from pipeline.bench.run.grid import Build
from pipeline.bench.run.index import BuiltIndex, TooSlow, build, given
from pipeline.bench.run.plan import Point, SweepConfig
from pipeline.bench.run.target import Served
from pipeline.bench.runs import Recorder
from pipeline.core.arrays import Rows
from pipeline.core.errors import UserError
from pipeline.jobs.pieces import Pieces
from pipeline.search.measure import shares
from pipeline.store.workspace import Workspace

PointRow = dict[str, Any]


class Measuring:
    """What is needed to measure points of one scenario on one server."""

    def __init__(
        self,
        workspace: Workspace,
        config: SweepConfig,
        scenario: Scenario,
        served: Served,
        recorder: Recorder,
        best: Rows,
        pieces: Pieces,
    ) -> None:
        """Take all that stays the same; `best` (q, k) are the exact neighbours of the scenario's queries."""
        self.pieces = pieces
        self.workspace, self.config, self.scenario, self.served = workspace, config, scenario, served
        self.recorder, self.best = recorder, best
        self.rows: list[PointRow] = recorder.rows()

    def build(self, asked: Build) -> BuiltIndex | str:
        """Build an index, once more where the server went away under it; give it, or say why there is none."""
        if self.config.collection:
            return given(self.config.collection)
        reason = ""
        for attempt in range(2):
            try:
                where = (self.workspace, self.served.engine, self.scenario)
                pids = self.served.target.server_pids
                return build(*where, asked, self.config.build_limit, self.served.home, pids, self.pieces)
            except TooSlow as error:
                if self.served.embedded:
                    self.served.restart()  # else the next build waits behind it
                return str(error)
            except UserError as error:
                reason = str(error)
                if not self.served.back() or attempt:
                    break
        return reason

    def measure(self, point: Point, built: BuiltIndex) -> PointRow:
        """Measure a point, once more where the server or a client went away under it, and write it down."""
        took = {key: value for key, value in asdict(built).items() if key != "collection"}
        reason = ""
        for attempt in range(2):
            try:
                figures = self._figures(point, built)
                notes = " ".join(filter(None, (built.note, figures.get("note"))))
                return self.add(point, took | figures | {"note": notes or None})
            except UserError as error:
                reason = str(error)
                if self.served.back():
                    self.served.engine.load(built.collection)
                elif attempt:
                    break
        return self.add(point, took | {"error": reason})

    def add(self, point: Point, figures: PointRow) -> PointRow:
        """Write down what there is to say of a point."""
        where = {
            "scenario": self.scenario.name,
            "server": self.config.server,
            "device": point.build.index.device,
            "metric": self.scenario.metric,
            "at": runs.now(),
        }
        row = where | point.row | figures
        if row.get("error") is None and (wrong := _not_finite(figures)):
            row["error"] = f"Its {' and '.join(wrong)} came out as no finite number, so the point does not count."
        self.rows.append(self.recorder.add(row))
        return self.rows[-1]

    def _figures(self, point: Point, built: BuiltIndex) -> PointRow:
        scenario = self.scenario
        search = Search(built.collection, scenario.metric, dict(point.search), point.top_k, scenario.field)
        parts = split_requests(scenario.queries, point.nq)
        load = Load(self.config.seconds, point.concurrency, point.rate, point.client)
        figures = self.served.fleet.measure(search, parts, load)
        return _row(figures, load) | self._recall(figures, point)

    def _recall(self, figures: LoadFigures, point: Point) -> dict[str, float]:
        """Compare what was answered with the exact neighbours, off the clock."""
        scenario, answered = self.scenario, [n for n, answer in enumerate(figures.answers) if answer is not None]
        answers = np.concatenate([found(figures.answers[n], point.nq, point.top_k) for n in answered])
        rows = np.concatenate([asked_by(n, point.nq, len(scenario.queries)) for n in answered])
        rows, once = np.unique(rows, return_index=True)  # a query that fills the last request counts once
        best, answers = self.best[rows, : point.top_k], scenario.rows_of(answers[once])
        share = shares(scenario.vectors, scenario.queries[rows], answers, best, scenario.metric)
        mean, low, high = recall_with_interval(share, scenario.population)
        return {"recall": round(mean, 5), "recall_low": round(low, 5), "recall_high": round(high, 5)}


def _not_finite(figures: PointRow) -> list[str]:
    return [name for name, value in figures.items() if isinstance(value, float) and not math.isfinite(value)]


def _row(figures: LoadFigures, load: Load) -> PointRow:
    numbers: Iterator[tuple[str, Any]] = ((k, v) for k, v in vars(figures).items() if k in runs.COLUMNS)
    row = {k: round(v, 4) if isinstance(v, float) else v for k, v in numbers}
    row["answered"] = json.dumps(figures.answered)
    for name, spread in figures.spreads.items():
        row |= {f"{name}_low": round(spread.low, 4), f"{name}_high": round(spread.high, 4)}
    if load.rate and figures.unsent:
        offered = figures.requests + figures.unsent
        row["note"] = (
            f"The rate was not kept: {figures.unsent:,} of {offered:,} requests were still waiting at the end. "
            "Each client has one under way: more clients keep it where the server's CPUs are idle."
        )
    return row
