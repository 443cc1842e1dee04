"""A server's own start is not taken for the memory of what is measured on it."""

import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from pipeline.search.embedded import cpu
from pipeline.search.embedded.cpu import Memory, memory_of, settled

GROWING = """
import sys, time
held = []
for _ in range(int(sys.argv[1])):
    held.append(bytearray(b"x") * 2_000_000)
    time.sleep(.05)
print("settled", flush=True)
time.sleep(60)
"""


def _growing(steps: int) -> subprocess.Popen[str]:
    """Start a process that grows by 2 MB twenty times a second, as a server does that starts."""
    return subprocess.Popen([sys.executable, "-c", GROWING, str(steps)], stdout=subprocess.PIPE, text=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(cpu, "_STEADY_S", 0.75)
    yield
    for child in psutil.Process().children():
        if GROWING in child.cmdline():
            child.kill()
            child.wait()


def test_a_server_that_starts_is_waited_for_until_it_has_settled() -> None:
    running = _growing(20)
    before = settled([running.pid])
    assert running.stdout is not None
    assert running.stdout.readline() == "settled\n"
    after = memory_of([running.pid])
    assert before.mb == pytest.approx(after.mb, rel=0.01), "its own 40 MB are in what it held before"
    assert before.grown_to(after) == pytest.approx(0, abs=1)


def test_one_that_never_settles_has_no_memory_that_is_known() -> None:
    running = _growing(10_000)
    found = settled([running.pid], patience_s=1.5)
    assert found.mb is None
    assert found.grown_to(memory_of([running.pid])) is None


def test_one_that_has_run_for_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_YOUNG_S", 0.0)
    running = _growing(10_000)
    began = time.monotonic()
    assert settled([running.pid]).mb is not None
    assert time.monotonic() - began < 0.5


def test_another_process_in_its_place_has_grown_by_nothing_that_is_known() -> None:
    assert Memory(100.0, frozenset({1})).grown_to(Memory(150.0, frozenset({1}))) == 50
    assert Memory(100.0, frozenset({1})).grown_to(Memory(90.0, frozenset({1}))) == 0
    assert Memory(100.0, frozenset({1})).grown_to(Memory(150.0, frozenset({2}))) is None
    assert settled([]) == Memory(None, frozenset())
