"""What a sweep measures: build grid × search grid × nq × concurrency × top-k, as points, with how long they take."""

import itertools
import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self

from pydantic import Field, InstanceOf, field_serializer, model_validator

from pipeline.bench.data.scenarios import ScenarioConfig
from pipeline.bench.run.grid import Build, Grid, IndexGrid, Params, read_grid
from pipeline.bench.runs import packed
from pipeline.core.checks import one_of
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.text import per_request
from pipeline.indexes.work import of_build
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import Piece, seconds_of
from pipeline.search.compatibility import EMBEDDED

CLIENTS = ("raw", "pymilvus")
MOST_NQ = 16_384  # https://milvus.io/docs/v2.3.x/limitations.md
Nq = Annotated[int, Field(ge=1, le=MOST_NQ)]
Concurrency = Annotated[int, Field(ge=1, le=1000)]
TopK = Annotated[int, Field(ge=1, le=16_384)]
Rate = Annotated[float, Field(ge=1e-3, le=1e6)]
_AROUND_S = 0.6  # a point's start, what is asked afterwards, and its recall
_START_S = 8.0  # a server's
_COMPARED = 1e10  # numbers a second, in the search for the exact neighbours


class SweepConfig(Options):
    """What a run measures; two of the same are the same run."""

    scenario: ScenarioConfig = Field(default=ScenarioConfig(), description="Which vectors.")
    indexes: tuple[InstanceOf[Grid], ...] = Field(
        default=(read_grid(IndexGrid("HNSW")),), description="Index types with the values that are tried."
    )
    server: str = Field(default="embedded", description="Where the indexes are built.")
    nq: tuple[Nq, ...] = Field(default=(1, 1000), strict=False, description="Queries in a request.")
    nq_fits: bool = Field(
        default=False, description="Whether an nq over the queries becomes their number, as nobody chose it."
    )
    concurrency: tuple[Concurrency, ...] = Field(default=(1, 4), strict=False, description="Clients at the same time.")
    top_k: tuple[TopK, ...] = Field(default=(100,), strict=False, description="Nearest neighbours that are asked for.")
    rates: tuple[Rate, ...] = Field(
        default=(), strict=False, description="Requests a second that open loops offer; without any, loops are closed."
    )
    clients: tuple[str, ...] = Field(default=("raw",), strict=False, description="raw, or pymilvus beside it.")
    seconds: float = Field(default=5.0, ge=0.1, le=3600, description="That each point is measured.")
    repeats: int = Field(default=1, ge=1, le=100, description="Measurements of each point.")
    skip_dominated: bool = Field(
        default=False, description="Leave out points that cannot be better than what is measured."
    )
    build_limit: float = Field(
        default=1800.0, ge=1, le=864_000, description="Seconds that an index may take to be built."
    )
    collection: str = Field(
        default="",
        description="A collection of others on the server, which is asked as it is; empty: the scenario is indexed.",
    )
    dask: str = Field(
        default="",
        description="A Dask scheduler whose workers are the clients; empty: processes of this machine.",
    )

    @field_serializer("indexes")
    def _as_written(self, indexes: tuple[Grid, ...]) -> list[dict[str, str]]:
        return [asdict(grid.written) for grid in indexes]

    @model_validator(mode="after")
    def _measures_something(self) -> Self:
        for client in self.clients:
            one_of(client, CLIENTS, "client")
        if not (self.indexes and self.nq and self.concurrency and self.top_k and self.clients):
            raise UserError("There is nothing to measure: give at least one index, nq, concurrency, top_k and client.")
        return self


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
        return " ".join([self.build.index.name, *search, f"{per_request(self.nq)}, {self.concurrency} clients"])


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
    pieces = [start_pieces(rows, dim, queries), *pieces_of(config, points, rows, dim)]
    return Plan(points, list(dict.fromkeys(notes)), seconds_of(pieces, past or Past()))


def start_pieces(rows: int, dim: int, queries: int) -> Piece:
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
    plain: dict[str, Any] = json.loads(json.dumps(config.model_dump()))
    return plain
