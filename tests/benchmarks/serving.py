"""Print what serving in four stages costs, on a catalogue as large as YOOCHOOSE's: docs/serving.md has the figures.

Made-up clicks, two-tower and DLRM of one pass, HNSW; `serve load` by both ways, then `recommend` over 100,000 sessions.
A WORKSPACE that is named is used as it stands, or filled.
"""

import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.store.workspace import Workspace
from tests.measure import measure

ROAD = (
    ["ingest", "--clicks", "synthetic:300000"],
    ["preprocess"],
    ["train", "--model", "two_tower", "--epochs", "1"],
    ["embed", "--model", "two_tower"],
    ["index", "build", "--model", "two_tower"],
    ["train", "--model", "dlrm", "--epochs", "1"],
    ["serve", "export"],
    ["serve", "up"],
)
MANY = 100_000  # sessions


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "ws"
        try:
            for words in ROAD:
                _answer(words, workspace)
            _load(workspace)
        finally:
            measure(["serve", "down"], workspace)
        _many(workspace, Path(folder))


def _answer(words: list[str], workspace: Path) -> dict[str, Any]:
    measured = measure(words, workspace, limit_s=1800)
    assert measured.returncode == 0, measured.stdout[-2000:] + measured.stderr[-2000:]
    return dict(json.loads(measured.stdout.splitlines()[-1]))


def _load(workspace: Path) -> None:
    found = _answer(["serve", "load", "--seconds", "6"], workspace)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {found['items']:,} items, {found['stages']} stages")
    for row in found["rows"]:
        asked = f"{row['via']:<7} {row['clients']:>2} clients, {row['batch']:>2} a request"
        waited = ", ".join(f"{name[:3]} {row[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms"))
        print(f"{asked}: {row['sessions_per_s']:8,.0f} sessions/s, {waited} ms")
    for row in found["added"]:
        print(f"{row['part']:<20} {row['fast_ms']:6.2f} ms in the app, {row['triton_ms']:6.2f} by Triton", flush=True)


def _many(workspace: Path, folder: Path) -> None:
    clicks = pl.scan_parquet(Workspace.open(workspace).stage("clicks") / "clicks.parquet")
    ids = clicks.select(pl.col("session_id").unique(maintain_order=True).head(MANY)).collect()["session_id"]
    log, out = folder / "log.parquet", folder / "found.parquet"
    clicks.filter(pl.col("session_id").is_in(ids.implode())).sink_parquet(log)
    asked = ["recommend", "--file", str(log), "--out", str(out), "--model", "two_tower", "--force"]
    for more in ([], ["--exclude-seen"], ["--rank"]):
        found = _answer([*asked, *more], workspace)
        print(f"recommend {' '.join(more):<15} {found['sessions_per_s']:>8,} sessions/s", flush=True)


if __name__ == "__main__":
    main()
