"""What an online store said of keys, kept until the store changes: SQLite tells that at once, and exactly.

`PRAGMA data_version` differs when another connection has committed anything since (https://sqlite.org/pragma.html), so
that a change is seen by the very next request. Of other stores nothing is kept: they do not tell.
"""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.serving.features.repository import online_type
from pipeline.serving.features.sqlite import database

_MOST = 1_000_000  # keys kept; then it begins anew
Version = tuple[int, int]  # the file, and its data_version


class Remembered:
    """The values of keys in one view of one repository; several threads may ask at once."""

    def __init__(self, folder: Path, ask: Callable[[Ints], Floats]) -> None:
        """Take the way to `ask` the store: (n,) keys to (n, features) float32."""
        self.folder, self.ask = folder, ask
        self._tells = online_type(folder) == "sqlite"
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._version: Version | None = None
        self._known: dict[int, Floats] = {}

    def read(self, keys: Ints) -> Floats:
        """Give (n, features) of (n,) keys, each asked once."""
        unique, back = np.unique(keys, return_inverse=True)
        if not self._tells:
            return self.ask(unique)[back]
        with self._lock:
            version = self._now()
            if version is None or version != self._version or len(self._known) > _MOST:
                self._known, self._version = {}, version
            known = self._known
        new = np.array([key for key in unique.tolist() if key not in known], np.int64)
        if len(new):
            known.update(zip(new.tolist(), self.ask(new), strict=True))
        return np.array([known[key] for key in unique.tolist()], np.float32)[back]

    def _now(self) -> Version | None:
        """Tell the store's version; None where it cannot be read: nothing is kept then, and whoever asks says why."""
        path = database(self.folder)
        try:
            inode = path.stat().st_ino
            if self._connection is None or self._version is None or self._version[0] != inode:
                self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5, check_same_thread=False)
            return inode, int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except (OSError, sqlite3.Error):
            self._connection = None
            return None
