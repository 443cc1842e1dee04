"""Print what splitting and numbering clicks takes, by size and engine: seconds, and memory of the whole process tree.

Made-up clicks: 5 million by Polars and by NVTabular on pandas, and as many as YOOCHOOSE has, 33 million, by Polars.
Those are also read from text as YOOCHOOSE writes it, plain and packed; with `raw` as an argument, nothing else is done.
"""

import gzip
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import polars as pl

from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from tests.measure import Measured, measure

SMALL, PUBLISHED = 1_400_000, 9_249_729  # sessions


def main() -> None:
    """Measure and print."""
    print(f"{platform.machine()}, {os.cpu_count()} cores", flush=True)
    if sys.argv[1:] == ["raw"]:
        _raw()
        return
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
    _raw()


def _raw() -> None:
    """Read as many clicks as YOOCHOOSE has from text as it writes it."""
    with tempfile.TemporaryDirectory() as folder:
        made, text = Path(folder) / "made", Path(folder) / "clicks.dat"
        measured = measure(["ingest", "--clicks", f"synthetic:{PUBLISHED}"], made)
        clicks = _clicks(measured)
        time = pl.col(TIMESTAMP).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        table = pl.scan_parquet(made / "stages" / "clicks" / "clicks.parquet").select(
            SESSION_ID, time, ITEM_ID, CATEGORY
        )
        table.sink_csv(text, include_header=False)
        shutil.rmtree(made)
        size = text.stat().st_size / 1e9
        _told(f"ingest {size:.2f} GB of text", clicks, measure(["ingest", "--clicks", str(text)], Path(folder) / "ws"))
        packed = text.with_suffix(".dat.gz")
        with text.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as file:
            shutil.copyfileobj(plain, file, 1 << 24)
        text.unlink()
        _told("ingest the same in gzip", clicks, measure(["ingest", "--clicks", str(packed)], Path(folder) / "ws2"))


def _told(what: str, count: int, measured: Measured) -> Measured:
    assert measured.returncode == 0, measured.stderr[-2000:]
    print(f"{what:<24} {count:>12,}  {measured.seconds:6.1f} s  {measured.peak_bytes / 1e9:5.2f} GB", flush=True)
    return measured


def _clicks(measured: Measured) -> int:
    return int(json.loads(measured.stdout.splitlines()[-1])["metrics"]["clicks"])


if __name__ == "__main__":
    main()
