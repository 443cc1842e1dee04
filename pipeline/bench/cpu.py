"""CPU seconds and memory of a server's processes, as the kernel counts them."""

import contextlib
from collections.abc import Iterable, Iterator

import psutil


def tree(roots: Iterable[int]) -> list[psutil.Process]:
    """List these processes and those below them; finding them takes milliseconds of a core."""
    return list(_below(roots))


def cpu_seconds(processes: Iterable[psutil.Process]) -> float | None:
    """Add the CPU seconds, user's and system's, of these processes; None where one has ended or there is none."""
    try:
        times = [p.cpu_times() for p in processes]
    except psutil.Error:
        return None
    return sum(t.user + t.system for t in times) if times else None


def resident_mb(processes: Iterable[psutil.Process]) -> float | None:
    """Add the memory that these processes hold in RAM, in MB; None where one has ended or there is none."""
    try:
        held = [p.memory_info().rss for p in processes]
    except psutil.Error:
        return None
    return sum(held) / 1e6 if held else None


def _below(roots: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in roots:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            yield root
            yield from root.children(recursive=True)
