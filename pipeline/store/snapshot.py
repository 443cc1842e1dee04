"""What a page has read of a workspace: nothing twice while it is drawn, and so that what it shows belongs together.

Without a snapshot, as on the command line, everything is read whenever it is asked for.
"""

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

_LASTS_S = 1.0  # whoever waits longer, for a server to start, then sees what was published meanwhile
T = TypeVar("T")


@dataclass
class _Read:
    begun: float = field(default_factory=time.monotonic)
    values: dict[Hashable, Any] = field(default_factory=dict)


_read: ContextVar[_Read | None] = ContextVar("read", default=None)


@contextmanager
def snapshot() -> Iterator[None]:
    """Read each thing once in the block, in this thread; what is read is shared, so nobody may change it."""
    before = _read.set(_Read())
    try:
        yield
    finally:
        _read.reset(before)


def once(key: Hashable, read: Callable[[], T]) -> T:
    """Give what `read` gives, or gave before under this key in the same snapshot."""
    if (kept := _read.get()) is None:
        return read()
    if time.monotonic() - kept.begun > _LASTS_S:
        forget()
    values = kept.values  # not those that begin where `read` itself has something forgotten
    if key not in values:
        values[key] = read()
    return cast(T, values[key])


def forget() -> None:
    """Read everything anew from now on, as something was written."""
    if (kept := _read.get()) is not None:
        kept.begun, kept.values = time.monotonic(), {}
