"""Reading and splitting that is killed at any moment leaves the old result or the new one, and the next run goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from pipeline.clicks.ingest import load_clicks
from pipeline.core.project import PROJECT
from pipeline.sessions.preprocess import PARTS, load_catalogue, load_part
from pipeline.store.workspace import Workspace
from tests.conftest import cli

OLD, NEW = ["--clicks", "shop:400"], ["--clicks", "shop:4000"]
LATE = ["--data", "last_days=200", "--data", "collapse_repeats=true"]


def _state(root: Path) -> list[pl.DataFrame]:
    workspace = Workspace.open(root)
    frames = [
        load_clicks(workspace).collect(),
        *(load_part(workspace, part) for part in PARTS),
        load_catalogue(workspace),
    ]
    days = workspace.stage("data") / "days.parquet"
    return [
        *frames,
        *(pl.read_parquet(f) for f in sorted((workspace.stage("data") / "sequences").glob("*"))),
        pl.read_parquet(days),
    ]


def _made(root: Path, clicks: list[str], options: list[str]) -> list[pl.DataFrame]:
    assert cli(root, "ingest", *clicks)[0] == 0
    assert cli(root, "preprocess", *options)[0] == 0
    return _state(root)


def _alike(first: list[pl.DataFrame], second: list[pl.DataFrame]) -> bool:
    return len(first) == len(second) and all(a.equals(b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.long)])
def test_the_old_result_or_the_new_one_is_there(tmp_path: Path, kills: int) -> None:
    new = _made(tmp_path / "new", NEW, LATE)
    root = tmp_path / "ws"
    old = _made(root, OLD, [])
    began = time.monotonic()
    mixed = _made(tmp_path / "mixed", OLD, LATE)
    took = (time.monotonic() - began) / 2
    assert not _alike(old, mixed)
    rng = random.Random(kills)
    for words in (["ingest", *NEW], ["preprocess", *LATE]):
        before = _state(root)
        for _ in range(kills // 2):
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", *words, "--workspace", str(root)],
                cwd=PROJECT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(rng.uniform(0.3, 1.0) * took)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            now = _state(root)
            assert _alike(now, before) or _alike(now[:1], new[:1])
            if words[0] == "preprocess":
                assert _alike(now, new) or _alike(now[1:], before[1:])
        assert cli(root, *words)[0] == 0
    assert _alike(_state(root), new)
    store = root / ".store"
    assert {link.resolve().name for link in (root / "stages").iterdir()} == {f.name for f in store.iterdir()}
