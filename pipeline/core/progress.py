"""How a stage tells how far it is, without knowing who listens."""

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Take reports of how far a stage is; the job behind it may raise `Cancelled` out of a call."""

    def __call__(self, done: float, total: float, text: str = "", point: Mapping[str, float] | None = None) -> None:
        """Report `done` of `total` (any unit), in `text` what is being done, in `point` a new point of a live curve."""


def part(report: Progress, step: int, steps: int) -> Progress:
    """Give what reports to `report` as one of `steps` equal parts, the first of which is 0."""

    def say(done: float, total: float, text: str = "", point: Mapping[str, float] | None = None) -> None:
        report(step + min(done / max(total, 1e-9), 1.0), steps, text, point)

    return say


def silent(done: float, total: float, text: str = "", point: Mapping[str, float] | None = None) -> None:
    """Ignore every report (for tests and for callers who do not show progress)."""
