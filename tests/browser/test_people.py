"""Many visitors in one process: what they leave behind is collected."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from pipeline.core.project import PROJECT
from pipeline.store.workspace import Workspace
from tests.browser.conftest import serve
from tests.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.milvus, pytest.mark.merlin, pytest.mark.long]
RERUNS, WARM = 2000, 400
GROWTH = 50e6  # bytes


async def _rerun(address: str, process: psutil.Process) -> tuple[float, float, int]:
    visitor = await Visitor.open(address, "recommend")
    held = []
    for n in range(RERUNS):
        await visitor.move("How many", 5 + n % 20)
        if n > WARM:
            held.append(process.memory_info().rss)
    await visitor.close()
    third = len(held) // 3
    return max(held[:third]), max(held[-third:]), visitor.errors


def test_memory_stays_flat_over_two_thousand_reruns(shop: Workspace) -> None:
    process, address = serve(shop.root)
    try:
        with ThreadPoolExecutor(1) as other:  # this thread's loop may be the browser's
            early, late, errors = other.submit(asyncio.run, _rerun(address, psutil.Process(process.pid))).result()
    finally:
        process.terminate()
        process.wait(20)
    assert not errors
    assert late - early < GROWTH, f"{early / 1e6:.0f} MB grew to {late / 1e6:.0f} MB"


def test_streamlit_does_not_collect_after_every_rerun() -> None:
    config = (PROJECT / ".streamlit" / "config.toml").read_text()
    assert re.search(r"(?m)^postScriptGC = false", config)
