"""Leases on the embedded server: files that their holders keep locked, so that the kernel ends a killed holder's lease.

milvus/leases/ID.json    who holds it; locked while the holder lives
milvus/gate              locked while a lease is taken, and while the supervisor decides to stop: never both at once
milvus/supervisor.lock   held by the supervisor and by the server under it: a new one waits until both are gone
"""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.store.locks import is_locked, lock, remove_unlocked
from pipeline.store.workspace import read_json, write_json


@dataclass(frozen=True)
class Lease:
    """A claim on the server that ends with `release`, or with its holder."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Give the claim up."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


@contextlib.contextmanager
def gate(home: Path) -> Iterator[None]:
    """Hold the gate of the server's folder."""
    descriptor = lock(home / "gate")
    try:
        yield
    finally:
        os.close(descriptor)


def take(home: Path, what: str) -> Lease:
    """Take a lease for this process, under the gate; `what` names the holder for others."""
    folder = home / "leases"
    folder.mkdir(parents=True, exist_ok=True)
    with gate(home):
        path = folder / f"{uuid.uuid4().hex}.json"
        held = lock(path.with_suffix(".lock"))
        write_json(path, {"pid": os.getpid(), "what": what, "since": time.time()})
    return Lease(path, held)


def holders(home: Path) -> list[dict[str, Any]]:
    """List the living holders, and forget the dead."""
    living = []
    for path in sorted((home / "leases").glob("*.json")):
        if is_locked(path.with_suffix(".lock")):
            living.append(read_json(path) or {})
        else:
            path.unlink(missing_ok=True)
    for stray in (home / "leases").glob("*.lock"):
        if not stray.with_suffix(".json").exists():
            remove_unlocked(stray)
    return living
