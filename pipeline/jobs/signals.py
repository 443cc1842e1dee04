"""A job is asked to end by a signal, which is raised wherever it finds it, until it is heard."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from pipeline.core.errors import Cancelled

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Cancel:
    """Raise `Cancelled` where a signal finds the job, and again where that was lost.

    Python drops what a finaliser raises, and libraries swallow what they do not expect: pymilvus does, while it writes
    a request (entity_is_sparse_matrix). The next report finds that, or the next signal.
    """

    asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        again, self.asked = self.asked, True
        if not again:
            raise Cancelled
        self.check()

    def check(self) -> None:
        """Raise `Cancelled` where it was asked for and nothing unwinds."""
        if self.asked and not _unwinds(sys.exception()):
            raise Cancelled


def _unwinds(error: BaseException | None) -> bool:
    """Tell whether what is handled now came of a cancel, so that whoever clears up is left to it."""
    return error is not None and (type(error) is Cancelled or _unwinds(error.__context__))


@contextlib.contextmanager
def cancelled_by_signals() -> Iterator[Cancel]:
    """Let the signals that end a process cancel the block, in the main thread."""
    cancel = Cancel()
    before = {s: signal.signal(s, cancel) for s in SIGNALS}
    try:
        yield cancel
    finally:
        for number, handler in before.items():  # one that was asked to end is ending, however often it is asked
            signal.signal(number, signal.SIG_IGN if cancel.asked else handler)
