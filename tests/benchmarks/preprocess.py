"""Print what splitting and numbering clicks takes, by size and engine: seconds, and memory of the whole process tree.

Made-up clicks: 5 million by Polars and by NVTabular on pandas, and as many as YOOCHOOSE has, 33 million, by Polars.
"""

import json
import os
import platform
import tempfile
from pathlib import Path

from tests.measure import Measured, measure

SMALL, PUBLISHED = 1_400_000, 9_249_729  # sessions


def main() -> None:
    """Measure and print."""
    print(f"{platform.machine()}, {os.cpu_count()} cores", flush=True)
    rates, took = {}, {}
    for sessions in (SMALL, PUBLISHED):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Path(folder) / "ws"
            clicks = _clicks(
                _told("ingest", sessions, measure(["ingest", "--clicks", f"synthetic:{sessions}"], workspace))
            )
            for engine in ("polars", "nvtabular") if sessions == SMALL else ("polars",):
                measured = measure(["preprocess", "--engine", engine], workspace)
                _told(f"preprocess by {engine}", clicks, measured)
                took[engine, sessions] = measured.seconds
                rates[engine, sessions] = measured.seconds / clicks * 1e6
                (workspace / "stages" / "data").unlink()
    print(f"Polars {took['nvtabular', SMALL] / took['polars', SMALL]:.1f} times as fast as NVTabular on pandas")
    growth = rates["polars", PUBLISHED] / rates["polars", SMALL]
    print(f"seconds a million clicks at 33 M: {growth:.2f} times those at 5 M")


def _told(what: str, count: int, measured: Measured) -> Measured:
    assert measured.returncode == 0, measured.stderr[-2000:]
    print(f"{what:<24} {count:>12,}  {measured.seconds:6.1f} s  {measured.peak_bytes / 1e9:5.2f} GB", flush=True)
    return measured


def _clicks(measured: Measured) -> int:
    return int(json.loads(measured.stdout.splitlines()[-1])["metrics"]["clicks"])


if __name__ == "__main__":
    main()
