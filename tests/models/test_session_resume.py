"""The session model: what was cut off, stopped or killed goes on, or keeps its best."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import Cancelled, StopEarly
from pipeline.models import checkpoint
from pipeline.models.session.passes import SessionConfig
from tests.made.rings import CONFIG, Listener, catalogue, clicks, train, vectors

pytestmark = pytest.mark.merlin


@pytest.mark.parametrize("when", ["pass 2 ·", "pass 5, finishing"])
def test_one_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path, when: str) -> None:
    kept, config = tmp_path / "kept.npz", CONFIG.replace(epochs=3)
    whole = train(tmp_path / "a", config)
    with pytest.raises(Cancelled):
        train(tmp_path / "b", config, Listener(Cancelled, when), kept)
    stored = checkpoint.load(kept)
    assert stored is not None
    listener = Listener()
    resumed = train(tmp_path / "b", config, listener, kept)
    assert min(step for step in listener.steps if step > 0) == stored[1]["step"] + 1  # no pass is repeated
    assert resumed["epochs"] == whole["epochs"]
    assert np.array_equal(vectors(tmp_path / "a"), vectors(tmp_path / "b"))


@pytest.mark.parametrize(("when", "passes"), [("pass 3 ·", 2), ("pass 5, finishing", 4)])
def test_stopped_early_it_keeps_the_best(tmp_path: Path, when: str, passes: int) -> None:
    config = CONFIG.replace(epochs=3)
    found = train(tmp_path, config, Listener(StopEarly, when))
    assert found["note"].startswith("stopped early")
    assert len(found["epochs"]) == passes
    assert np.isfinite(vectors(tmp_path)).all()


def _job(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline", "train", "--batch-size", "64", "--epochs", "40", "--json"]
    return subprocess.Popen([*command, "--workspace", str(root)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    from pipeline.store.stage import run_stage
    from pipeline.store.workspace import Workspace
    from pipeline.training.interrupted import interrupted
    from tests.conftest import wait_for

    workspace = Workspace.open(tmp_path / "ws")

    def data(folder: Path, progress: Any) -> dict[str, Any]:
        (folder / "train").mkdir()
        clicks(1000).write_parquet(folder / "train" / "part.parquet")
        catalogue().write_parquet(folder / "items.parquet")
        return {}

    run_stage(workspace, "data", SessionConfig(), data)
    process = _job(workspace.root)
    found = workspace.root / "checkpoints" / "session"
    wait_for(lambda: list(found.glob("*.npz")), 240, "no checkpoint")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    stored = checkpoint.load(next(iter(found.glob("*.npz"))))
    assert stored is not None
    (cut_off,) = interrupted(workspace)
    assert cut_off.passes == len(stored[1]["epochs"]) > 0
    assert cut_off.arguments[2:6] == ["--epochs", "40", "--batch-size", "64"]
    again = _job(workspace.root)
    answer = json.loads(again.communicate(timeout=200)[0].splitlines()[-1])
    assert again.returncode == 0, answer
    lines = [json.loads(line) for line in (workspace.root / "jobs" / "2" / "curve.jsonl").read_text().splitlines()]
    assert min(line["step"] for line in lines) > stored[1]["step"]  # the passes before are not repeated
    assert len(answer["metrics"]["epochs"]) > stored[1]["epoch"]
    assert not list(found.glob("*.npz"))
