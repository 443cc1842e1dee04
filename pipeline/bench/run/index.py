"""The index that is measured: built once for all its points, loaded, and gone afterwards."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.bench.data.scenarios import Scenario
from pipeline.bench.run.grid import Build
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import duration
from pipeline.indexes.work import cpu_of, of_build
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import Pieces
from pipeline.search.embedded.abandoned import leaving
from pipeline.search.embedded.cpu import Memory, memory_of, settled
from pipeline.search.milvus.client import MilvusEngine
from pipeline.search.params import estimate
from pipeline.store.workspace import Workspace

_PART = "bench_"  # of the names of collections that a run makes


@dataclass(frozen=True)
class BuiltIndex:
    """A loaded collection, and what it took."""

    collection: str
    build_s: float | None
    load_s: float | None
    memory_mb: float | None
    """Estimated from what is stored, as the catalogue has it: the server does not tell."""
    disk_mb: float | None
    """By which the embedded server's files grew; None where they are on another machine."""
    server_memory_mb: float | None = None
    """What all processes of the server hold in RAM once the index is loaded; None where they are on another machine."""
    server_growth_mb: float | None = None
    """By how much that is more than before the insertion: the index, and what the server keeps of its own work.

    None also where the server had just started and had not settled, or was started again meanwhile: `note` says which.
    """
    note: str | None = None


def build(
    workspace: Workspace,
    engine: MilvusEngine,
    scenario: Scenario,
    asked: Build,
    limit_s: float,
    home: Path | None,
    pids: Sequence[int] = (),
    pieces: Pieces | None = None,
) -> BuiltIndex:
    """Insert the vectors, build the index within `limit_s` seconds and load it, as `pieces` of a whole.

    `home` is the embedded server's, `pids` are the roots of the server's processes where they run on this machine.
    """
    (rows, dim), name = scenario.vectors.shape, asked.index.name
    before, held = _files_mb(home), settled(pids)
    collection = f"{workspace.prefix}{_PART}{uuid.uuid4().hex[:12]}"
    work = pieces or Pieces([], Past(workspace), silent)
    filling, building, loading, _ = of_build(asked.index, asked.values, rows, dim, home is not None)
    with work.doing(filling, f"inserting {rows:,} vectors for {name}"):
        engine.create(collection, dim, scenario.metric)
        engine.insert(collection, np.arange(rows), scenario.vectors, {}, lambda *_: work.say("inserting vectors"))
    takes = estimate(asked.index, asked.values, dim, rows)
    began = time.monotonic()
    try:
        with (
            leaving(workspace, home is not None, "of a benchmark", name, rows, building.expected_s(work.past)),
            work.doing(building, f"building {name}", cpu_of(workspace) if home is not None else None),
        ):
            told: Progress = lambda done, total, text="", point=None: work.say(text)  # noqa: E731
            built = engine.build(collection, name, asked.values, scenario.metric, told, limit_s)
    except UserError as error:
        if time.monotonic() - began < limit_s:
            raise
        raise TooSlow(f"Building {name} took longer than {duration(limit_s)}: raise --build-limit.") from error
    began = time.monotonic()
    with work.doing(loading, f"loading {name}"):
        engine.load(collection, told)
    load_s = round(time.monotonic() - began, 3)
    disk = _grown(before, _files_mb(home))
    holds = memory_of(pids)
    measured = None if holds.mb is None else round(holds.mb, 3)
    growth = held.grown_to(holds)
    return BuiltIndex(
        collection,
        built.seconds,
        load_s,
        round(takes.memory_bytes / 1e6, 3),
        disk,
        measured,
        growth,
        _note(held, holds),
    )


def _note(held: Memory, holds: Memory) -> str | None:
    """Say why the growth of a server on this machine is not known."""
    if holds.mb is None or held.grown_to(holds) is not None:
        return None
    if held.processes != holds.processes:
        return "By how much the server grew is not known: it was started again meanwhile."
    return "By how much the server grew is not known: it had just started, and still took memory for itself."


def _grown(before: float | None, after: float | None) -> float | None:
    """Give the difference, 0 where the server let go of more, such as what an index before this one took."""
    return None if before is None or after is None else max(0.0, round(after - before, 3))


def given(collection: str) -> BuiltIndex:
    """Stand for a collection that others built: what it took is not known."""
    return BuiltIndex(collection, None, None, None, None)


class TooSlow(UserError):
    """Say that a build was given up; the server may go on with it."""


def drop_all(workspace: Workspace, engine: MilvusEngine) -> None:
    """Drop the collections of runs of this workspace, also those that a kill left."""
    for name in engine.collections():
        if name.startswith(f"{workspace.prefix}{_PART}"):
            engine.drop(name)


def _files_mb(home: Path | None) -> float | None:
    """Add what the embedded server keeps of vectors and indexes, in MB."""
    if home is None:
        return None
    parts = (home / "data" / part for part in ("insert_log", "index_files"))
    files = (path for part in parts if part.exists() for path in part.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files) / 1e6
