"""What work took on this machine before, so that the next estimate begins from it and not from a formula alone.

past.json   per kind of work: how many times the formula's seconds it took; the formula's seconds and the course of the
            last one, which is the share of its time that had gone at each tenth of what it reported to have done
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.store.workspace import Workspace, read_json, write_json

_NEW = 0.5  # what the newest result counts for
_TENTHS = 11
_ALIKE = 1.5  # times the work of the last one, up to which its course tells something
_MOST, _LEAST = 1e6, 1e-6


@dataclass
class Past:
    """What each kind of work took; a kind is a few words, e.g. 'build HNSW'."""

    workspace: Workspace | None = None
    """Where it is kept; None: for this run only."""
    _times: dict[str, float] = field(default_factory=dict)
    _courses: dict[str, tuple[float, list[float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._read()

    def _read(self) -> None:
        if self.workspace is None:
            return
        for kind, entry in _entries(read_json(self.workspace.root / "past.json")):
            self._times[kind] = entry["times"]
            self._courses[kind] = (entry["formula_s"], entry["course"])

    def knows(self, kind: str) -> bool:
        """Tell whether work of this kind was done here."""
        return kind in self._times

    def expected(self, kind: str, formula_s: float = 1.0) -> float:
        """Give the seconds that work takes for which a formula says `formula_s`, by what its kind took before."""
        return formula_s * self._times.get(kind, 1.0)

    def course(self, kind: str, formula_s: float = 1.0) -> list[float]:
        """Give the share of the time that had gone at each tenth of the work, when there was last about as much of it.

        It is empty where that is not known.
        """
        size, course = self._courses.get(kind, (0.0, []))
        return course if size / _ALIKE <= formula_s <= size * _ALIKE else []

    def took(self, kind: str, formula_s: float, seconds: float, course: Sequence[float] = ()) -> None:
        """Write down what work took for which a formula says `formula_s`; the newest result counts for half."""
        if formula_s <= 0 or seconds <= 0:
            return
        self._read()  # other work of this job may have ended meanwhile
        times = min(max(seconds / formula_s, _LEAST), _MOST)
        before = self._times.get(kind, times)
        self._times[kind] = math.exp((1 - _NEW) * math.log(before) + _NEW * math.log(times))
        self._courses[kind] = (formula_s, [round(share, 4) for share in course])
        if self.workspace is not None:
            kept = {
                k: {"times": t, "formula_s": self._courses[k][0], "course": self._courses[k][1]}
                for k, t in self._times.items()
            }
            write_json(self.workspace.root / "past.json", kept)


def _entries(found: Any) -> list[tuple[str, dict[str, Any]]]:
    """Take what can be used; a file that is damaged costs what was learnt, and nothing else."""
    if not isinstance(found, dict):
        return []
    return [(kind, entry) for kind, entry in found.items() if _is_sound(entry)]


def _is_sound(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("course"), list):
        return False
    numbers = [entry.get("times"), entry.get("formula_s"), *entry["course"]]
    if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
        return False
    course = entry["course"]
    return _LEAST <= numbers[0] <= _MOST and len(course) in (0, _TENTHS) and course == sorted(course)
