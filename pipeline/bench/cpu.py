"""CPU seconds and memory of a server's processes, as the kernel counts them."""

import contextlib
from collections.abc import Iterable, Iterator

import psutil


def cpu_seconds(roots: Iterable[int]) -> float | None:
    """Add the CPU seconds, user's and system's, of these processes and of those below them; None without any."""
    times = [p.cpu_times() for p in _tree(roots) if p.is_running()]
    return sum(t.user + t.system for t in times) if times else None


def memory_mb(roots: Iterable[int]) -> float | None:
    """Add the resident memory of these processes and of those below them, in MB; None without any."""
    sizes = []
    for process in _tree(roots):
        with contextlib.suppress(psutil.Error):
            sizes.append(process.memory_info().rss)
    return round(sum(sizes) / 1e6, 1) if sizes else None


def _tree(roots: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in roots:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            yield root
            yield from root.children(recursive=True)
