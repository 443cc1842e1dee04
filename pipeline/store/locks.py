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
    try:
        return _taken(path, fcntl.F_OFD_SETLK)
    except BlockingIOError:
        return None


def lock(path: Path) -> int:
    """Wait for the lock on `path` and give the open descriptor that holds it."""
    return _taken(path, fcntl.F_OFD_SETLKW)


def remove_unlocked(path: Path) -> bool:
    """Remove the file at `path` while nobody holds its lock; False where somebody does.

    Whoever opened it before, to lock it, makes it anew, so that nobody holds a lock that others cannot see.
    """
    if not path.exists():
        return True
    descriptor = try_lock(path)
    if descriptor is None:
        return False
    path.unlink(missing_ok=True)
    os.close(descriptor)
    return True


def _taken(path: Path, how: int) -> int:
    """Open and lock `path`, anew where that file was removed before it was locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.fcntl(descriptor, how, _WHOLE)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


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
