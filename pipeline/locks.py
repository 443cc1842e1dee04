"""Locks that the kernel lets go when their holder ends, however it ends."""

import fcntl
import os
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """Take the lock on `path`; give the open descriptor that holds it, or None where another process has it."""
    try:
        return _taken(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def lock(path: Path) -> int:
    """Wait for the lock on `path` and give the open descriptor that holds it."""
    return _taken(path, fcntl.LOCK_EX)


def sweep(path: Path) -> bool:
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
            fcntl.flock(descriptor, how)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Tell whether some process holds the lock on `path`; a shared probe, so that two who ask do not see each other."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
