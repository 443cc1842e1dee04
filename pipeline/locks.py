"""Locks that the kernel lets go when their holder ends, however it ends; asking whether one is held takes nothing.

They are the open file description locks of Linux (fcntl(2)): as with flock, whoever inherits the descriptor holds the
lock too; unlike with flock, one can ask for them without taking them, and so is never in the way of who wants them.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FLOCK = "hhqqi0q"  # struct flock: type, whence, start, length (0: the whole file), pid
_WHOLE = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def try_lock(path: Path) -> int | None:
    """Take the lock on `path`; give the open descriptor that holds it, or None where another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def lock(path: Path) -> int:
    """Wait for the lock on `path` and give the open descriptor that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _WHOLE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on `path` for the block, after whoever has it."""
    descriptor = lock(path)
    try:
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds the lock on `path`, without taking it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE)
    finally:
        os.close(descriptor)
    return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)
