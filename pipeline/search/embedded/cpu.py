"""CPU seconds and memory of a server's processes, as the kernel counts them."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import psutil

_YOUNG_S = 30.0  # for as long after its start a server may take memory for itself
_STEADY_S, _STEADY = 2.0, 0.01  # it has settled when it grew by no more than this share within so many seconds
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Memory:
    """What processes hold in RAM, and which they are; `mb` is None where that is not known."""

    mb: float | None
    processes: frozenset[int]

    def grown_to(self, later: "Memory") -> float | None:
        """Give by how many MB that is more, 0 where it is less; None where it is not known, or they are others."""
        if self.mb is None or later.mb is None or self.processes != later.processes:
            return None
        return max(0.0, round(later.mb - self.mb, 3))


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


def memory_of(roots: Iterable[int]) -> Memory:
    """Read what these processes and those below them hold."""
    found = tree(roots)
    return Memory(resident_mb(found), frozenset(process.pid for process in found))


def settled(roots: Sequence[int], patience_s: float = _PATIENCE_S) -> Memory:
    """Read what they hold once a server among them that has just started takes no more for itself.

    Not known where it still does after `patience_s` seconds.
    """
    seen = [memory_of(roots)]
    if seen[0].mb is None or _age_s(seen[0].processes) > _YOUNG_S:
        return seen[0]
    steady, pause = round(_STEADY_S / 0.25), 0.25
    for _ in range(round(patience_s / pause)):
        time.sleep(pause)
        seen.append(memory_of(roots))
        if len(seen) > steady and _is_steady(seen[-1 - steady :]):
            return seen[-1]
    return Memory(None, seen[-1].processes)


def _is_steady(seen: Sequence[Memory]) -> bool:
    held = [one.mb for one in seen if one.mb is not None]
    same = len({one.processes for one in seen}) == 1
    return same and len(held) == len(seen) and max(held) - min(held) <= _STEADY * max(held)


def _age_s(pids: Iterable[int]) -> float:
    """Tell for how long the youngest of these processes has run."""
    try:
        return time.time() - max(psutil.Process(pid).create_time() for pid in pids)
    except psutil.Error:
        return 0.0


def _below(roots: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in roots:
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(pid)
            yield root
            yield from root.children(recursive=True)
