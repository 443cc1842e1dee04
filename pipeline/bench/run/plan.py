"""What a sweep measures: build grid × search grid × nq × concurrency × top-k, as points, with how long they take."""

import itertools
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pipeline.bench.data.scenarios import ScenarioConfig
from pipeline.bench.run.grid import Build, Grid, IndexGrid, Params, read_grid
from pipeline.bench.runs import packed
from pipeline.core.checks import one_of
from pipeline.core.errors import UserError
from pipeline.indexes.work import of_build
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import Piece, seconds_of
from pipeline.search.compatibility import EMBEDDED

CLIENTS = ("raw", "pymilvus")
MOST_NQ = 16_384  # https://milvus.io/docs/v2.3.x/limitations.md
_AROUND_S = 0.6  # a point's start, what is asked afterwards, and its recall
_START_S = 8.0  # a server's
_COMPARED = 1e10  # numbers a second, in the search for the exact neighbours


@dataclass(frozen=True)
class SweepConfig:
    """What a run measures; two of the same are the same run."""

    scenario: ScenarioConfig = field(default_factory=ScenarioConfig)
    indexes: tuple[Grid, ...] = (read_grid(IndexGrid("HNSW")),)
    server: str = "embedded"
    nq: tuple[int, ...] = (1, 1000)
    nq_fits: bool = False
    """Whether an nq over the queries becomes their number, as nobody chose it."""
    concurrency: tuple[int, ...] = (1, 4)
    top_k: tuple[int, ...] = (100,)
    rates: tuple[float, ...] = ()
    """Requests a second that open loops offer; without any, loops are closed."""
    clients: tuple[str, ...] = ("raw",)
    seconds: float = 5.0
    repeats: int = 1
    skip_dominated: bool = False
    build_limit: float = 1800.0
    """Seconds that an index may take to be built."""
    collection: str = ""
    """A collection of others on the server, which is asked as it is; empty: the scenario is indexed."""
    dask: str = ""
    """A Dask scheduler whose workers are the clients; empty: processes of this machine."""

    def __post_init__(self) -> None:
        for name, values, low, high in (
            ("nq", self.nq, 1, MOST_NQ),
            ("concurrency", self.concurrency, 1, 1000),
            ("top_k", self.top_k, 1, 16_384),
            ("rate", self.rates, 1e-3, 1e6),
            ("seconds", (self.seconds,), 0.1, 3600),
            ("repeats", (self.repeats,), 1, 100),
            ("build limit", (self.build_limit,), 1, 864_000),
        ):
            for value in values:
                if not low <= value <= high:
                    raise UserError(f"{name} {value:,g} is out of range: choose {low:g} to {high:,g}.")
        for client in self.clients:
            one_of(client, CLIENTS, "client")
        if not (self.indexes and self.nq and self.concurrency and self.top_k and self.clients):
            raise UserError("There is nothing to measure: give at least one index, nq, concurrency, top_k and client.")


@dataclass(frozen=True)
class Point:
    """One figure to measure."""

    build: Build
    search: Params
    top_k: int
    nq: int
    concurrency: int
    client: str
    rate: float | None
    repeat: int

    @property
    def row(self) -> dict[str, Any]:
        """Give the columns that say what was measured."""
        return {
            "index": self.build.index.name,
            "build": packed(self.build.params),
            "search": packed(self.search),
            "top_k": self.top_k,
            "nq": self.nq,
            "concurrency": self.concurrency,
            "client": self.client,
            "loop": "open" if self.rate else "closed",
            "rate": self.rate,
            "repeat": self.repeat,
        }

    def __str__(self) -> str:
        search = [f"{name} {value}" for name, value in self.search]
        return " ".join([self.build.index.name, *search, f"nq {self.nq:,}, {self.concurrency} clients"])


@dataclass(frozen=True)
class Plan:
    """The points in the order in which they are measured, builds together, and what was left out."""

    points: list[Point]
    notes: list[str]
    seconds: float
    """Roughly, of the whole run."""

    @property
    def builds(self) -> list[Build]:
        """List the indexes to build."""
        return list(dict.fromkeys(point.build for point in self.points))


def plan(config: SweepConfig, rows: int, dim: int, queries: int, past: Past | None = None) -> Plan:
    """List the points over `rows` vectors of `dim` dimensions and `queries` queries; UserError for what cannot be.

    How long they take is estimated by what such work took here in the `past`.
    """
    _check_sizes(config, rows, queries)
    notes: list[str] = []
    points: list[Point] = []
    for grid in config.indexes:
        for build in grid.builds(dim, rows, notes):
            searches = [(k, s) for k in config.top_k for s in grid.searches(build, k, notes)]
            loads = itertools.product(
                _nq(config, queries, notes), config.concurrency, config.rates or (None,), config.clients
            )
            ways = list(itertools.product(loads, searches))
            points += [
                Point(build, search, k, nq, concurrency, client, rate, repeat)
                for repeat in range(config.repeats)
                for (nq, concurrency, rate, client), (k, search) in ways
            ]
    points = list(dict.fromkeys(points))
    pieces = [start(rows, dim, queries), *pieces_of(config, points, rows, dim)]
    return Plan(points, list(dict.fromkeys(notes)), seconds_of(pieces, past or Past()))


def start(rows: int, dim: int, queries: int) -> Piece:
    """Give what comes before the points: the server's start, and the exact neighbours of the queries."""
    return Piece("start", _START_S + rows * dim * queries / _COMPARED)


def pieces_of(config: SweepConfig, points: list[Point], rows: int, dim: int, built: Build | None = None) -> list[Piece]:
    """List what these points are made of, with their builds, other than the one that is `built`."""
    builds = {} if config.collection else dict.fromkeys(p.build for p in points if p.build != built)
    ours = config.server == EMBEDDED.name
    made = [piece for b in builds for piece in of_build(b.index, b.values, rows, dim, ours)[:3]]
    return [*made, *(measured(config) for _ in points)]


def measured(config: SweepConfig) -> Piece:
    """Give what a point takes: the seconds that are measured, those before, and what is around it."""
    return Piece("point", _AROUND_S, config.seconds + min(1.0, max(0.2, config.seconds / 10)))


def _check_sizes(config: SweepConfig, rows: int, queries: int) -> None:
    if (most := max(config.top_k)) > rows:
        raise UserError(f"top_k {most:,} is over the {rows:,} vectors that are indexed: choose at most {rows:,}.")
    if (most := max(config.nq)) > queries and not config.nq_fits:
        raise UserError(f"nq {most:,} is over the {queries:,} queries of the scenario: choose at most {queries:,}.")


def _nq(config: SweepConfig, queries: int, notes: list[str]) -> tuple[int, ...]:
    """Give nq as it is asked: at most the queries."""
    if (most := max(config.nq)) > queries:
        notes.append(f"nq {most:,} is asked as nq {queries:,}: the scenario has no more queries.")
    return tuple(dict.fromkeys(min(nq, queries) for nq in config.nq))


def keyed(point: dict[str, Any]) -> str:
    """Give what two rows of the same point have in common."""
    names = ("index", "build", "search", "top_k", "nq", "concurrency", "client", "loop", "rate", "repeat")
    return json.dumps([point[name] for name in names])


def as_json(config: SweepConfig) -> dict[str, Any]:
    """Give a config as a run keeps it, equal for equal configs."""
    plain = {part.name: getattr(config, part.name) for part in fields(config)}
    plain |= {"scenario": asdict(config.scenario), "indexes": [asdict(grid.written) for grid in config.indexes]}
    equal: dict[str, Any] = json.loads(json.dumps(plain))
    return equal
