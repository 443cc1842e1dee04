"""Find the setting with the most QPS that keeps a recall and a latency, within so many trials, by Optuna.

A run that was cut off goes on: the study is told again what the run's rows hold, trial by trial. Its suggestions follow
from the seed and from what it was told, so that it comes to where it was, and ends as if it had never been cut off.
"""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.bench.analysis.settings import label
from pipeline.bench.run.grid import Build, Choices, build_of, search_of
from pipeline.bench.run.index import BuiltIndex
from pipeline.bench.run.measuring import Measuring, PointRow
from pipeline.bench.run.plan import Point, keyed, measured
from pipeline.bench.run.sweep import Prepared, measuring
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.spread import MAYBE_CHANCE, Spread, kept, told_apart
from pipeline.indexes.work import of_build
from pipeline.search.params import Context, IndexType, Param, Value
from pipeline.store.workspace import Workspace

_EASY = 10  # trials at random before the model of what is good begins to choose
_FACTORS = (0.5, 1.0, 2.0)  # of a build parameter's default, where no values are given: each costs a build
_REACH = 10  # times top_k: as far as candidates while searching are tried


@dataclass(frozen=True)
class Goal:
    """What a setting must keep, and how long it is looked for."""

    recall: float
    p99_ms: float | None = None
    trials: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.recall <= 1:
            raise UserError(f"recall {self.recall} is out of range: choose above 0, at most 1.")
        if self.p99_ms is not None and not self.p99_ms > 0:
            raise UserError(f"p99 {self.p99_ms} ms is out of range: choose above 0.")
        if not 1 <= self.trials <= 10_000:
            raise UserError(f"{self.trials} trials are out of range: choose 1 to 10,000.")

    def misses(self, row: PointRow) -> list[float]:
        """Give by how much a point misses recall and p99, 0 or less where it keeps them, 1 where it has no figures."""
        if row["error"] is not None:
            return [1.0, 1.0]
        late = 0.0 if self.p99_ms is None else row["p99_ms"] / self.p99_ms - 1
        return [self.recall - row["recall"], late]

    def keeps(self, row: PointRow) -> bool:
        """Tell whether a point was measured and keeps both."""
        return row["error"] is None and max(self.misses(row)) <= 0


def tune(
    workspace: Workspace,
    name: str,
    ready: Prepared,
    goal: Goal,
    starting: Progress = silent,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Try settings at the first nq, concurrency and top-k of the config; give the best row, or why there is none.

    Every trial is a point of run `name`; those that it has already are not measured again. Values of a grid are the
    choices; parameters without any are chosen from the catalogue's ranges. A setting that comes up again is not
    measured again, and no trial is spent on it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=ready.config.scenario.seed, n_startup_trials=min(_EASY, goal.trials))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    with measuring(workspace, name, ready, goal.trials, starting, progress, goal=asdict(goal)) as open_run:
        tuning = _Tuning(open_run, ready, goal)
        for _ in range(3 * goal.trials):  # a small space is used up before there were so many different ones
            if len(tuning.known) >= goal.trials:
                break
            trial = study.ask()
            row = tuning.row(trial)
            for kept, missed in zip(("recall", "p99"), goal.misses(row), strict=True):
                trial.set_constraint(kept, missed)
            study.tell(trial, row["qps"] if row["error"] is None else 0.0)
            best = tuning.best()
            said = (
                f"best so far {best['qps']:,.0f} QPS at recall {best['recall']:.3f}" if best else "none keeps both yet"
            )
            tuning.plan()
            open_run.pieces.say(said)
        found = {"best": tuning.best(), "nearest": tuning.nearest(), "trials": len(tuning.known)}
        return found | {"told": tuning.told()}


class _Tuning:
    """Trials as points, each measured once."""

    def __init__(self, measuring: Measuring, ready: Prepared, goal: Goal) -> None:
        self.measuring, self.config, self.goal = measuring, ready.config, goal
        self.rows, self.dim = ready.scenario.vectors.shape
        self.known: dict[Point, PointRow] = {}
        self._kept = {keyed(row): row for row in measuring.rows}
        self._built: dict[Build, BuiltIndex | str] = {}
        self.plan()

    def row(self, trial: Any) -> PointRow:
        """Give what a trial suggests as it was measured: before, or now."""
        point = self._point(trial)
        if point not in self.known:
            self.known[point] = self._kept.get(keyed(point.row)) or self._measured(point)
        return self.known[point]

    def _measured(self, point: Point) -> PointRow:
        if point.build not in self._built:
            self._built[point.build] = self.measuring.build(point.build)
            self.plan()
        built = self._built[point.build]
        if isinstance(built, str):
            return self.measuring.add(point, {"error": built})
        with self.measuring.pieces.doing(measured(self.config), f"trial {len(self.known) + 1}: {point}"):
            return self.measuring.measure(point, built)

    def plan(self) -> None:
        """List what is left to do: as many builds a trial as so far, and as long as the last."""
        left = max(self.goal.trials - len(self.known), 0)
        pieces = [measured(self.config)] * left
        if self._built:
            last, builds = list(self._built)[-1], round(left * len(self._built) / max(len(self.known), 1))
            made = of_build(last.index, last.values, self.rows, self.dim, self.measuring.served.embedded)
            pieces += made[:3] * min(builds, left)
        self.measuring.pieces.left = pieces

    def best(self) -> PointRow | None:
        """Give the point with the most QPS that keeps both, or None."""
        return next(iter(self._ranked()), None)

    def _ranked(self) -> list[PointRow]:
        return sorted((r for r in self.known.values() if self.goal.keeps(r)), key=lambda r: -r["qps"])

    def told(self) -> str:
        """Say whether the best point is told apart from all others that keep both; '' where none does."""
        ranked = self._ranked()
        if not ranked:
            return ""
        best, *others = ranked
        first, among = f"{label(best)}, {best['qps']:,.0f} QPS", f"{len(ranked)} settings that keep both"
        if not others:
            return f"Only one setting keeps both: {first}."
        one = next((row for row in others if not told_apart(_qps(best), [_qps(row)], lambda qps: f"{qps:,.0f}")), None)
        if one is None:
            return f"The fastest of {among}: {first}."
        return f"First of {among}: {first}; before {label(one)}, {one['qps']:,.0f} QPS, it {MAYBE_CHANCE}."

    def nearest(self) -> PointRow | None:
        """Give the point that comes nearest to keeping both."""
        measured = (r for r in self.known.values() if r["error"] is None)
        return min(measured, key=lambda r: (max(0.0, *self.goal.misses(r)), -r["qps"]), default=None)

    def _point(self, trial: Any) -> Point:
        names = [str(n) for n in range(len(self.config.indexes))]
        grid = self.config.indexes[int(trial.suggest_categorical("index", names) if len(names) > 1 else 0)]
        index, top_k = grid.index, self.config.top_k[0]
        size: Context = {"rows": self.rows, "dim": self.dim}
        built = self._suggested(trial, index, index.build, grid.build, size, _builds)
        build = build_of(index, built, self.dim, self.rows, [])
        searched = self._suggested(trial, index, index.search, grid.search, {"top_k": top_k, **size}, None)
        search = search_of(build, searched, top_k, [])
        first = (self.config.nq[0], self.config.concurrency[0], self.config.clients[0])
        rate = self.config.rates[0] if self.config.rates else None
        return Point(build, search, top_k, *first, rate, 0)

    def _suggested(
        self, trial: Any, index: IndexType, params: tuple[Param, ...], grid: Choices, context: Context, few: Any
    ) -> dict[str, Value]:
        """Let the trial choose: of the given values, of a `few` where each costs a build, or of a range."""
        found: dict[str, Value] = {}
        for param in params:
            name = f"{index.name} {param.name}"
            if param.name in grid:
                found[param.name] = trial.suggest_categorical(name, list(grid[param.name]))
            elif param.optional or param.kind in ("bool", "choice"):
                continue
            elif few:
                found[param.name] = trial.suggest_categorical(name, few(param, context))
            else:
                low, high = _range(param, context)
                found[param.name] = trial.suggest_int(name, low, high, log=low > 0)
        return found


def _qps(row: PointRow) -> Spread:
    return kept(row["qps"], row.get("qps_low"), row.get("qps_high"))


def _builds(param: Param, context: Context) -> list[Value]:
    usual = param.fitting(context)
    if param.divides:
        return [usual]
    low, high = param.limits(context)
    return sorted({int(min(max(float(usual) * factor, low), high)) for factor in _FACTORS})


def _range(param: Param, context: Context) -> tuple[int, int]:
    low, high = param.limits(context)
    if "top_k" in param.at_least:
        high = min(high, _REACH * low)
    elif param.at_most:
        high = min(high, float(context["rows"]) ** 0.5 * 4)  # as many clusters as an index is usually given
    return int(low), max(int(low), int(high))
