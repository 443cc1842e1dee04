"""Print how long people wait on the Recommend page who are there at once and click every 2 s each, one app process.

`python -m tests.benchmarks.people WORKSPACE`: a workspace on which `run` has ended. Visitors speak Streamlit's
WebSocket protocol; a click moves "How many", which asks Milvus; its time ends when the server has sent all of the page.
"""

import asyncio
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil

from pipeline.core.text import duration
from tests.browser.conftest import serve
from tests.visitor import Visitor

PEOPLE = (1, 5, 20, 30)
GOALS_MS = {20: 250, 30: 500}
EVERY_S = 2.0
CLICKS = 10  # of each visitor


async def _clicks(visitor: Visitor, start: float) -> list[float]:
    """Click every 2 s from `start` on, late or not; give the seconds of each from when it was due."""
    took = []
    for n in range(CLICKS):
        due = start + n * EVERY_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await visitor.move("How many", 5 + n % 20)
        took.append(time.perf_counter() - due)
    return took


async def _together(address: str, people: int) -> tuple[list[float], int]:
    """Let visitors come one after the other and then click; give all times and how many errors were shown."""
    visitors = [await Visitor.open(address, "recommend") for _ in range(people)]
    start = time.perf_counter() + 1
    times = await asyncio.gather(*(_clicks(v, start + n * EVERY_S / people) for n, v in enumerate(visitors)))
    for visitor in visitors:
        await visitor.close()
    return [t for some in times for t in some], sum(v.errors for v in visitors)


def _processor(pid: int) -> float:
    """Give the processor seconds that the app's process has used."""
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def main(root: Path) -> None:
    """Serve the workspace and measure."""
    python, streamlit = platform.python_version(), version("streamlit")
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {python}, Streamlit {streamlit}")
    process, address = serve(root)
    try:
        asyncio.run(_together(address, 1))  # Milvus has started, all modules are loaded
        for people in PEOPLE:
            before = _processor(process.pid)
            times, errors = asyncio.run(_together(address, people))
            each = (_processor(process.pid) - before) / len(times)
            p50, p95 = np.percentile(times, [50, 95])
            goal = f" (goal {GOALS_MS[people]} ms)" if people in GOALS_MS else ""
            wrong = f", {errors} ERRORS shown" if errors else ""
            waited = f"p50 {duration(p50)}, p95 {duration(p95)}{goal}"
            print(f"{people:3} people: {waited}, {duration(each)} of processor a click{wrong}")
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
