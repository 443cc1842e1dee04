"""What a supervisor remembers of the times its Milvus ended by itself, told in server.json and by `milvus status`."""

import time
from dataclasses import dataclass
from typing import Any

from pipeline.core.text import duration


@dataclass
class Restarts:
    """How often the server was started again, and a sentence on the last time."""

    name: str = "Milvus"
    kept: str = "; what was flushed is there"
    count: int = 0
    last: str = ""
    _how: str = ""
    _ended: float = 0.0

    def ended(self, returncode: int) -> None:
        """Note that the server ended just now; a negative code is the signal that ended it."""
        self._how = f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
        self._ended = time.time()

    def ready(self) -> None:
        """Note that the server answers; the first start is no restart."""
        if not self._how:
            return
        at, took = time.strftime("%H:%M:%S", time.gmtime(self._ended)), duration(time.time() - self._ended)
        self.count += 1
        self.last = f"{self.name} ended ({self._how}) at {at} UTC and was started again after {took}{self.kept}."
        self._how = ""

    def about(self) -> dict[str, Any]:
        """Give what server.json says of it."""
        return {"restarts": self.count} | ({"last_restart": self.last} if self.last else {})
