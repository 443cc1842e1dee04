"""Benchmark runs on disk: a folder each, to which points are added while it runs, and which others read at any time.

benchmarks/NAME/run.json     what was asked: config, hardware, versions, seed, how many points are planned
benchmarks/NAME/rows.jsonl   one line a point, flushed as it is measured; a line that a kill cut off is not read
benchmarks/NAME/note.txt     what a person wrote about it
benchmarks/NAME/alive        locked while its process lives       benchmarks/NAME/end.json   how it ended
"""

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import polars as pl

from pipeline.core.errors import Cancelled, UserError
from pipeline.core.text import did_you_mean
from pipeline.store import strict_json
from pipeline.store.locks import is_locked, try_lock
from pipeline.store.stage import is_stale as stage_is_stale
from pipeline.store.workspace import Workspace, read_json, write_json

Status = Literal["running", "done", "cancelled", "failed", "interrupted"]
FOLDER = "benchmarks"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
COLUMNS: dict[str, type[pl.DataType]] = {
    "scenario": pl.String,
    "server": pl.String,
    "device": pl.String,  # cpu or gpu, of the index type
    "index": pl.String,
    "metric": pl.String,
    "build": pl.String,  # JSON, keys sorted
    "search": pl.String,  # JSON, keys sorted
    "nq": pl.Int64,  # queries a request
    "concurrency": pl.Int64,  # client processes
    "top_k": pl.Int64,
    "client": pl.String,  # 'raw': requests serialised before, answers left as bytes; 'pymilvus': as its users see it
    "loop": pl.String,  # 'closed': the next request follows an answer; 'open': requests at a given rate
    "rate": pl.Float64,  # requests a second that an open loop offers
    "repeat": pl.Int64,  # from 0
    "recall": pl.Float64,  # recall@top_k
    "recall_low": pl.Float64,  # 95 % interval where queries were sampled; else recall itself
    "recall_high": pl.Float64,
    "qps": pl.Float64,  # queries a second, not requests
    "p50_ms": pl.Float64,  # of a request
    "p95_ms": pl.Float64,
    "p99_ms": pl.Float64,
    **dict.fromkeys(  # 95 % intervals by slices of the time; null where they were not kept, or answered too few
        (f"{figure}_{end}" for figure in ("qps", "p50_ms", "p95_ms", "p99_ms") for end in ("low", "high")), pl.Float64
    ),
    "answered": pl.String,  # JSON: queries that were answered in each slice of the time
    "client_cpu": pl.Float64,  # CPU seconds of the client's processes
    "server_cpu": pl.Float64,  # CPU seconds of the server's; null where it is on another machine
    "client_bound": pl.Boolean,  # the client was the limit: the server can do more
    "build_s": pl.Float64,
    "load_s": pl.Float64,
    "memory_mb": pl.Float64,  # estimated by the catalogue: what the index takes
    "disk_mb": pl.Float64,
    "server_memory_mb": pl.Float64,  # measured: RAM of all the server's processes; null where they are elsewhere
    "server_growth_mb": pl.Float64,  # by how much that is more than before the insertion
    "seconds": pl.Float64,  # measured, warm-up left out
    "at": pl.String,  # ISO time
    "error": pl.String,  # why there are no figures
    "note": pl.String,  # what else there is to know of the point
}


@dataclass(frozen=True)
class Run:
    """A benchmark run as its folder tells it."""

    name: str
    status: Status
    config: dict[str, Any]
    hardware: dict[str, Any]
    """cpu, cores, memory_gb, platform, gpu (or null)."""
    versions: dict[str, str]
    seed: int
    note: str
    points: int
    """Measured so far."""
    planned: int
    created: str
    """ISO time."""
    error: str | None = None
    """Why it ended early."""
    vectors: dict[str, str] = field(default_factory=dict)
    """The stages that its vectors came from, with their keys at that time."""


def list_runs(workspace: Workspace) -> list[Run]:
    """List the benchmark runs, newest first."""
    found = (
        [run for folder in _base(workspace).iterdir() if (run := _read(folder))] if _base(workspace).exists() else []
    )
    return sorted(found, key=lambda run: (run.created, run.name), reverse=True)


def find_run(workspace: Workspace, name: str) -> Run:
    """Find a run by its name, or raise UserError."""
    found = _read(_base(workspace) / name) if _NAME.fullmatch(name) else None
    if found is None:
        known = [run.name for run in list_runs(workspace)]
        names = ", ".join(known[:8]) or "none yet; `bench` makes one"
        raise UserError(f"There is no benchmark run '{name}': there are {names}.{did_you_mean(name, known)}")
    return found


def is_run_stale(workspace: Workspace, run: Run) -> bool:
    """Tell whether the vectors that a run measured have been replaced since."""
    return any(
        (now := workspace.manifest(stage)) is None or now["key"] != key or stage_is_stale(workspace, stage)
        for stage, key in run.vectors.items()
    )


def load_points(workspace: Workspace, name: str) -> pl.DataFrame:
    """Read a run's points, those of a living one too, with the columns of `COLUMNS`; UserError where there is none."""
    find_run(workspace, name)
    lines = _lines(_base(workspace) / name / "rows.jsonl")
    if not lines:
        return pl.DataFrame(schema=COLUMNS)
    return pl.read_ndjson(b"\n".join(lines), schema=COLUMNS)


def set_note(workspace: Workspace, name: str, note: str) -> None:
    """Keep what a person wrote about a run."""
    find_run(workspace, name)
    path = _base(workspace) / name / "note.txt"
    beside = path.with_name(f".note.{os.getpid()}")
    beside.write_text(note)
    beside.replace(path)


def drop(workspace: Workspace, name: str) -> None:
    """Remove a run; one that is running is refused."""
    if find_run(workspace, name).status == "running":
        raise UserError(f"Benchmark '{name}' is running: cancel its job first.")
    shutil.rmtree(_base(workspace) / name)


def check_run_name(name: str) -> None:
    """Raise UserError for what cannot name a run."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"'{name}' cannot name a benchmark run: take up to 80 of a to z, 0 to 9, dots, hyphens and underscores."
        )


def _base(workspace: Workspace) -> Path:
    return workspace.root / FOLDER


def _read(folder: Path) -> Run | None:
    about = read_json(folder / "run.json")
    if about is None:
        return None
    end = read_json(folder / "end.json") or {}
    note = folder / "note.txt"
    return Run(
        name=folder.name,
        status="running" if is_locked(folder / "alive") else end.get("state", "interrupted"),
        note=note.read_text() if note.exists() else "",
        points=len(_lines(folder / "rows.jsonl")),
        error=end.get("error"),
        **about,
    )


def _lines(path: Path) -> list[bytes]:
    """Give the whole lines of a file of points; what a kill or a writer in mid-line left at the end is no point."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


class Recorder:
    """Add points to a run as its only writer; a block that ends in an error says in the run how it ended."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        check_run_name(name)
        self.name, self.folder = name, _base(workspace) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        alive = try_lock(self.folder / "alive")
        if alive is None:
            raise UserError(f"Benchmark '{name}' is running: wait for it, or name another run.")
        self._alive, self._begun = alive, False

    def begin(
        self,
        config: dict[str, Any],
        hardware: dict[str, Any],
        versions: dict[str, str],
        seed: int,
        planned: int,
        *,
        keep_failed: bool = False,
        vectors: dict[str, str] | None = None,
    ) -> None:
        """Write down what is asked; a run that goes on keeps its time and its points, failed ones if told to."""
        before = read_json(self.folder / "run.json") or {}
        if before and before["config"] != config:
            raise UserError(f"Benchmark '{self.name}' is there with other settings: name another, or drop it first.")
        self._about = {"config": config, "hardware": hardware, "versions": versions, "seed": seed, "planned": planned}
        self._about["vectors"] = before.get("vectors") or vectors or {}  # points of other vectors stay theirs
        self._about["created"] = before.get("created") or now()
        self._begun = True
        (self.folder / "end.json").unlink(missing_ok=True)
        kept = [row for row in self.rows() if keep_failed or row["error"] is None]  # the others are measured again
        beside = self.folder / f".rows.{os.getpid()}"
        beside.write_text("".join(strict_json.dumps(row) + "\n" for row in kept))
        beside.replace(self.folder / "rows.jsonl")
        write_json(self.folder / "run.json", self._about)

    def tell_versions(self, versions: dict[str, str]) -> None:
        """Write down the versions, which are known when the server answers."""
        self._about["versions"] = versions
        write_json(self.folder / "run.json", self._about)

    def rows(self) -> list[dict[str, Any]]:
        """Read the points so far."""
        return [strict_json.loads(line) for line in _lines(self.folder / "rows.jsonl")]

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        """Append a point, whole, and give it with all columns; those that `row` does not name are null."""
        unknown = row.keys() - COLUMNS.keys()
        assert not unknown, unknown
        whole = dict.fromkeys(COLUMNS) | row
        with (self.folder / "rows.jsonl").open("a") as file:
            file.write(strict_json.dumps(whole) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return whole

    def end(self, state: Status, error: str | None = None) -> None:
        """Say how the run ended."""
        write_json(self.folder / "end.json", {"state": state, "error": error})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._begun:
            pass  # refused: what is there stays as it is
        elif error is None:
            self.end("done")
        elif isinstance(error, Cancelled | KeyboardInterrupt):
            self.end("cancelled", "Cancelled; the points before it are kept.")
        else:
            self.end("failed", str(error))
        os.close(self._alive)


def packed(values: Any) -> str:
    """Write parameters as a run's table keeps them: JSON with sorted keys."""
    return json.dumps(dict(values), sort_keys=True)


def now() -> str:
    """Give the time as a run's table keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
