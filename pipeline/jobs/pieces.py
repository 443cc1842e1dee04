"""Work that comes in pieces of known kinds, such as a build and points: its time is the sum of theirs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.core.progress import Progress
from pipeline.jobs.forecast import blended, late
from pipeline.jobs.past import Past

Clock = Callable[[], float]
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Piece:
    """A piece of work."""

    kind: str
    """As the past knows it, e.g. 'build HNSW'."""
    formula_s: float
    """The seconds that a formula says."""
    fixed_s: float = 0.0
    """Seconds that it takes beside, on any machine."""
    cores: float = 2.0
    """How many it keeps busy in the formula's seconds."""

    def expected_s(self, past: Past) -> float:
        """Give the seconds that it is to take here."""
        return self.fixed_s + past.expected(self.kind, self.formula_s)


def seconds_of(pieces: Iterable[Piece], past: Past) -> float:
    """Estimate the seconds that these pieces of work take here."""
    return sum(piece.expected_s(past) for piece in pieces)


class Pieces:
    """Pieces one after another: reports the seconds gone of the seconds in all, and remembers what each took."""

    def __init__(self, pieces: Iterable[Piece], past: Past, progress: Progress, now: Clock = time.monotonic) -> None:
        self.past, self.progress, self.now = past, progress, now
        self.left = list(pieces)
        self._begun = now()
        self._under_way: _UnderWay | None = None

    @contextmanager
    def doing(self, piece: Piece, text: str, cpu: Callable[[], float | None] | None = None) -> Iterator[None]:
        """Do a piece within the block; what it took is remembered where the block ends well.

        `cpu` tells how many CPU seconds have been used by who does it, so that a busy machine is seen while it lasts.
        """
        self.without(piece)
        self._under_way = _UnderWay(piece, self.past, self.now, cpu)
        self.say(text)
        try:
            yield
            self._under_way.remember()
        finally:
            self._under_way = None

    def without(self, piece: Piece) -> None:
        """Take a piece from what is left; it is under way, or is not done at all."""
        if piece in self.left:
            self.left.remove(piece)

    def say(self, text: str, point: Mapping[str, float] | None = None) -> None:
        """Report how far all of it is."""
        gone = self.now() - self._begun
        self.progress(gone, gone + self.left_s(), text, point)

    def left_s(self) -> float:
        """Estimate the seconds until the end."""
        rest = self._under_way.rest_s() if self._under_way else 0.0
        return rest + seconds_of(self.left, self.past)


class _UnderWay:
    """The piece that is being done."""

    def __init__(self, piece: Piece, past: Past, now: Clock, cpu: Callable[[], float | None] | None) -> None:
        self.piece, self.past, self.now, self.cpu = piece, past, now, cpu
        self.begun = self.looked = now()
        self.cpu_begun = cpu() if cpu else None
        self.used: float | None = None  # CPU seconds
        self.at = 0.0  # seconds gone, when that was looked at
        self.cpu_kind, self.cpu_formula_s = f"cpu {piece.kind}", piece.cores * piece.formula_s

    def rest_s(self) -> float:
        """Estimate the rest: by the work that the CPUs have done of it, else by the clock."""
        self._look(_LOOK_EVERY_S)
        gone, expected = self.now() - self.begun, self.piece.expected_s(self.past)
        share = (self.used or 0.0) / self.past.expected(self.cpu_kind, self.cpu_formula_s)
        if share > 0 and self.at > 0:
            expected = blended(self.at / min(share, 1.0), expected, share)
        return max(late(expected, gone) - gone, 0.0)

    def remember(self) -> None:
        """Let the past know what it took."""
        self._look(0.0)
        self.past.took(self.piece.kind, self.piece.formula_s, self.now() - self.begun - self.piece.fixed_s)
        if self.used:
            self.past.took(self.cpu_kind, self.cpu_formula_s, self.used)

    def _look(self, every_s: float) -> None:
        if self.cpu is None or self.cpu_begun is None or self.now() - self.looked < every_s:
            return
        self.looked = self.now()
        if (used := self.cpu()) is not None:
            self.used, self.at = used - self.cpu_begun, self.looked - self.begun
