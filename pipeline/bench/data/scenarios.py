"""What is indexed and what is asked: the published scenarios over any model's vectors, files, made-up vectors.

item-item    half of the items are indexed, the other half are the queries
user-user    85 of 100 sessions are indexed, the others are the queries
user-item    the items are indexed, sessions are the queries
own          a file's vectors, and its queries or those of another file; else a tenth is held out
"""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.bench.data.sources import Sizes, Source, Vectors, file_sources, read_model, source
from pipeline.core.arrays import Floats, Numbers, Rows
from pipeline.core.checks import one_of
from pipeline.core.columns import DEFAULT_MODEL, VECTOR
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.core.text import number
from pipeline.search.catalogue import MIN_INDEXED_ROWS
from pipeline.search.usable import usable_vectors
from pipeline.store.stage import Metrics, need, run_stage
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import Entity, vectors_stage, way_to_vectors
from pipeline.vectors.imported import METRICS, default_metric, file_digest

QUERIES = 10_000  # that recall is measured with where there are more
OWN = "own"
_HELD_OUT = 0.1


@dataclass(frozen=True)
class Split:
    """Which vectors are indexed; the queries are those that are not, or all of another kind."""

    indexed: Entity
    share: float = 1.0
    asked: Entity | None = None


SPLITS = {
    "item-item": Split("items", 0.5),
    "user-user": Split("sessions", 0.85),
    "user-item": Split("items", asked="sessions"),
}
NAMES = (*SPLITS, OWN)


class ScenarioConfig(Options):
    """Which vectors, how they are compared, and how many."""

    scenario: str = Field(default="item-item", description="item-item, user-user, user-item, or own.")
    model: str = Field(
        default=DEFAULT_MODEL,
        description="A model, vectors imported from a file, or 'synthetic:ITEMS,SESSIONS,DIM'.",
    )
    file: str = Field(default="", description="For 'own': the vectors, as an absolute path.")
    query_file: str = Field(default="", description="For 'own': the queries, where the file has none.")
    metric: str = Field(
        default="", description="IP, L2 or COSINE; empty: as the vectors were imported, IP for a model's."
    )
    rows: int = Field(default=0, description="Vectors to index at most, drawn with the seed; 0: all.")
    queries: int = Field(
        default=QUERIES, description="Queries at most, drawn with the seed; recall then has an interval."
    )
    seed: int = Field(default=0, description="Of what is drawn.")

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        one_of(self.scenario, NAMES, "scenario")
        if self.metric:
            one_of(self.metric, METRICS, "metric")
        if self.queries < 1 or self.rows < 0:
            raise UserError(f"{self.queries:,} queries of {self.rows:,} rows are out of range: choose at least 1.")
        if self.seed < 0:
            raise UserError(f"seed {self.seed} is out of range: choose 0 or more.")
        if (self.scenario == OWN) != bool(self.file):
            raise UserError("Vectors of your own are --scenario own with --file FILE: give both, or neither.")
        _ = self.vectors  # read here, for all who take them
        return self

    @cached_property
    def vectors(self) -> Vectors:
        """Give which vectors `model` means."""
        return read_model(self.model)

    @property
    def stage(self) -> str:
        """Name the stage that holds the vectors and the queries."""
        name = Path(self.file).stem if self.file else self.model.replace(":", "-").replace(",", "-")
        return f"scenarios/{self.scenario}-{name}"


@dataclass(frozen=True)
class Scenario:
    """Vectors to be indexed (n, dim) under their row numbers, and queries (q, dim); both in mapped files."""

    name: str
    vectors: Floats
    queries: Floats
    population: int
    """Of queries, which these are drawn from."""
    metric: str
    keys: Numbers | None = None
    """(n) of the rows in the server, int64 or text; None where they are the row numbers."""
    field: str = VECTOR
    inputs: dict[str, str] = dataclass_field(default_factory=dict)
    """The stages that they were drawn from, with their keys; none where they are no model's."""

    @property
    def dim(self) -> int:
        """Give the length of a vector."""
        return int(self.vectors.shape[1])

    def rows_of(self, answers: Numbers) -> Rows:
        """Turn keys (q, k) that a server answered into row numbers; -1 for what is no row here."""
        if self.keys is None:
            return answers
        if self.keys.dtype == object:
            at = {key: row for row, key in enumerate(self.keys)}
            return np.array([[at.get(key, -1) for key in line] for line in answers.tolist()], np.int64)
        order = np.argsort(self.keys)
        rows = order[np.minimum(np.searchsorted(self.keys, answers, sorter=order), len(order) - 1)]
        return np.where(self.keys[rows] == answers, rows, -1)


def prepare_scenario(workspace: Workspace, config: ScenarioConfig, progress: Progress = silent) -> Scenario:
    """Draw vectors and queries and keep them as files; UserError where no index could differ from another."""

    def body(folder: Path, report: Progress) -> Metrics:
        return _draw(workspace, config, folder, report)

    files = [file for file in (config.file, config.query_file) if file]
    inputs = [] if files or isinstance(config.vectors, Sizes) else [vectors_stage(config.model)]
    if inputs:
        need(workspace, inputs[0], way_to_vectors(config.model))
    content = " ".join(file_digest(Path(file)) for file in files if Path(file).is_file())
    done = run_stage(
        workspace, config.stage, config, body, inputs=inputs, source=content, revision=2, progress=progress
    )
    folder, about = workspace.stage(config.stage), done.manifest["metrics"]
    vectors, queries = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("vectors", "queries"))
    return Scenario(
        config.scenario, vectors, queries, about["population"], about["metric"], inputs=done.manifest["inputs"]
    )


def _draw(workspace: Workspace, config: ScenarioConfig, folder: Path, report: Progress) -> Metrics:
    if config.file:
        indexed, asked, metric = file_sources(config.file, config.query_file, config.metric)
        share = 1 - _HELD_OUT
    else:
        split = SPLITS[config.scenario]
        share, metric = split.share, config.metric or default_metric(workspace, config.model)
        indexed = source(workspace, config.vectors, split.indexed)
        asked = source(workspace, config.vectors, split.asked) if split.asked else None
    random = np.random.default_rng(config.seed)
    order = random.permutation(indexed.rows)
    cut = indexed.rows if asked else round(indexed.rows * share)
    rest = random.permutation(asked.rows) if asked else order[cut:]
    chosen = order[:cut][: config.rows or None]
    _refuse_few(config, len(chosen))
    _write(folder / "vectors.npy", indexed, chosen, metric, report)
    _write(folder / "queries.npy", asked or indexed, rest[: config.queries], metric, report)
    about = {"rows": len(chosen), "queries": min(len(rest), config.queries), "population": len(rest)}
    return about | {"dim": indexed.dim, "metric": metric}


def _refuse_few(config: ScenarioConfig, rows: int) -> None:
    if rows < MIN_INDEXED_ROWS:
        what = "vectors" if config.file else f"{SPLITS[config.scenario].indexed} of '{config.model}'"
        raise UserError(
            f"The scenario {config.scenario} would index {number(rows)} {what}, and Milvus builds no index on fewer "
            f"than about {number(MIN_INDEXED_ROWS)}, so that all would be the same brute force: take the sessions "
            "with --scenario user-user, or made-up vectors with --model synthetic:49008."
        )


def _write(path: Path, found: Source, rows: np.ndarray, metric: str, report: Progress) -> None:
    """Write the rows in the order of the source, as a file that can be mapped; UserError for what has no distance."""
    wanted = np.sort(rows)
    out = np.lib.format.open_memmap(path, "w+", np.float32, (len(wanted), found.dim))
    low = done = 0
    for block in found.blocks():
        part = wanted[done : np.searchsorted(wanted, low + len(block))]
        out[done : done + len(part)] = usable_vectors(
            f"The scenario's {path.stem}", block[part - low], metric, rows=part
        )
        done, low = done + len(part), low + len(block)
        report(low, found.rows, f"reading {number(low)} of {number(found.rows)} vectors")
    out.flush()
