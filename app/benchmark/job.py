"""What the form of a benchmark says: the command that a person would type, and what it would measure."""

from dataclasses import dataclass, field

from pipeline.bench.data.scenarios import ScenarioConfig
from pipeline.bench.run.grid import IndexGrid
from pipeline.bench.run.options import sweep_config
from pipeline.bench.run.plan import Plan, SweepConfig, pieces_of, plan, start_pieces
from pipeline.bench.run.presets import PRESETS
from pipeline.bench.run.tune import Goal
from pipeline.core.errors import UserError
from pipeline.core.text import number
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import seconds_of
from pipeline.search.catalogue import MIN_INDEXED_ROWS
from pipeline.search.compatibility import EMBEDDED

TUNE_LOAD = {"nq": "1", "concurrency": "4", "top-k": "100", "seconds": "3"}
"""What `bench tune` asks with where nothing is said."""


@dataclass(frozen=True)
class AskedVectors:
    """Which vectors are asked: a scenario of a model's, or a collection that is there already."""

    rows: int
    """That are indexed."""
    dim: int
    queries: int
    scenario: str = ""
    model: str = ""
    collection: str = ""
    index: IndexGrid | None = None
    """Of the collection."""

    @property
    def words(self) -> list[str]:
        """Give the options that say so."""
        if self.collection:
            return ["--collection", self.collection]
        return ["--scenario", self.scenario, "--model", self.model]


@dataclass
class Chosen:
    """What the form says: as options of the command, and as what `sweep_config` takes."""

    asked: AskedVectors
    preset: str
    grids: tuple[IndexGrid, ...]
    server: str = EMBEDDED.name
    load: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    goal: Goal | None = None
    """What is tuned for; None: all points are measured."""

    @property
    def title(self) -> str:
        """Name the job."""
        return f"bench {'tune ' if self.goal else ''}{self.asked.collection or self.asked.scenario}"

    @property
    def command(self) -> list[str]:
        """Give the arguments that a person would type; what the preset says is left out."""
        words = ["bench", *self._goal(), *self.asked.words, *([] if self.goal else ["--preset", self.preset])]
        if self.goal or set(self.grids) != set(PRESETS[self.preset].indexes):
            builds, searches = any(grid.build for grid in self.grids), any(grid.search for grid in self.grids)
            for grid in self.grids:
                words += ["--index", grid.index]
                words += ["--build", grid.build] if builds else []
                words += ["--search", grid.search] if searches else []
        for name, text in self.load.items():
            words += [f"--{name}", text]
        return words + self.flags + (["--server", self.server] if self.server != EMBEDDED.name else [])

    def _goal(self) -> list[str]:
        if self.goal is None:
            return []
        p99 = [] if self.goal.p99_ms is None else ["--p99", number(self.goal.p99_ms)]
        return ["tune", "--recall", f"{self.goal.recall:g}", *p99, "--trials", str(self.goal.trials)]

    def planned(self, past: Past | None = None) -> Plan:
        """List the points, as the command will, or as many as a tuning tries; UserError where it would be refused."""
        if self.asked.rows < MIN_INDEXED_ROWS:
            raise UserError(
                f"{self.asked.rows:,} vectors would be indexed, and under about {MIN_INDEXED_ROWS:,} Milvus compares with "
                "all of them: every index would be the same. Choose sessions, or made-up vectors."
            )
        config, (rows, dim) = self._config(), (self.asked.rows, self.asked.dim)
        found = plan(config, rows, dim, self.asked.queries, past)
        if self.goal is None:
            return found
        trials = (found.points * self.goal.trials)[: self.goal.trials]
        pieces = [start_pieces(rows, dim, self.asked.queries), *pieces_of(config, trials, rows, dim)]
        return Plan(trials, [], seconds_of(pieces, past or Past()))

    def _config(self) -> SweepConfig:
        seconds, repeats = (_number(name, self.load.get(name)) for name in ("seconds", "repeats"))
        usual = TUNE_LOAD if self.goal else {}
        return sweep_config(
            ScenarioConfig()
            if self.asked.collection
            else ScenarioConfig(scenario=self.asked.scenario, model=self.asked.model),
            preset=None if self.goal else self.preset,
            indexes=[grid.index for grid in self.grids],
            builds=[grid.build for grid in self.grids],
            searches=[grid.search for grid in self.grids],
            nq=self.load.get("nq", usual.get("nq")),
            concurrency=self.load.get("concurrency", usual.get("concurrency")),
            top_k=self.load.get("top-k", usual.get("top-k")),
            rates=self.load.get("rate"),
            client="pymilvus" if "pymilvus" in self.flags else "raw",
            seconds=seconds if self.goal is None or seconds is not None else float(TUNE_LOAD["seconds"]),
            repeats=None if repeats is None else int(repeats),
            server=self.server,
            skip_dominated="--skip-dominated" in self.flags,
            collection=self.asked.collection,
        )


def _number(name: str, text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise UserError(f"{name} '{text}' is not a number: write one, such as 3.") from None
