"""Print what the whole pipeline takes on as many clicks as YOOCHOOSE has, killed once at a random moment and gone on.

Made-up clicks, 33 million of 9.2 million sessions: ingest to map, an IVF_SQ8 index of items and one of sessions.
The first argument is the second at which everything is killed (drawn at random without it; 0: not at all).
"""

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.preprocess import PUBLISHED
from tests.measure import Measured, machine, measure

RUN = ["run", "--clicks", f"synthetic:{PUBLISHED}", "--budget", "10", "--index", "IVF_SQ8"]
LATEST_KILL_S, LIMIT_S = 1800, 7200


def main() -> None:
    """Measure and print."""
    print(machine(), flush=True)
    kill_after_s = float(sys.argv[1]) if sys.argv[1:] else random.uniform(1, LATEST_KILL_S)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        workspace = Path(folder) / "ws"
        runs = [measure(RUN, workspace, LIMIT_S, kill_after_s)] if kill_after_s else []
        if not runs or runs[0].returncode:
            print(f"killed after {kill_after_s:,.0f} s" if runs else "not killed", flush=True)
            runs.append(measure(RUN, workspace, LIMIT_S))
        _print(runs)
        disk = sum(file.stat().st_size for file in workspace.rglob("*") if file.is_file())
        print(f"disk {disk / 1e9:.2f} GB")


def _print(runs: list[Measured]) -> None:
    assert runs[-1].returncode == 0, runs[-1].stderr[-3000:]
    answer = json.loads(runs[-1].stdout.splitlines()[-1])
    minutes, peak = sum(run.seconds for run in runs) / 60, max(run.peak_bytes for run in runs) / 1e9
    print(f"{answer['clicks']:,} clicks: {minutes:.1f} min in all, peak {peak:.1f} GB of the whole process tree")
    for stage in answer["stages"]:
        print(f"{stage['name']:<40} {'kept' if stage['skipped'] else format(stage['seconds'], '8.1f') + ' s':>12}")
    for name, figures in answer["models"].items():
        print(name, _figures(figures))
    for note in answer["notes"]:
        print(note)


def _figures(model: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in model.items() if not isinstance(value, dict | list))


if __name__ == "__main__":
    main()
