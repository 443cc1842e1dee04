"""Why a Milvus ended before it was ready, as its log tells it, and what a person can do."""

import re
from pathlib import Path

_READ = 2_000_000  # bytes of the log of one start; what fails first stands early, a Go panic's stacks after it
_ETCD = re.compile(r'"level":"(?:panic|fatal)".*?"msg":"(?P<what>[^"]*)".*?"error":"(?P<why>[^"]*)"')
_FATAL = re.compile(r'\[FATAL\] \[[^\]]*\] \["(?P<what>[^"]*)"\] \[error="(?P<why>(?:[^"\\]|\\.)*)"')
_FULL = re.compile(r"\bno space left on device\b", re.IGNORECASE)  # the kernel's words for ENOSPC: no log tells a code
_ERROR = re.compile(r'\[ERROR\] \[[^\]]*\] \["(?P<what>[^"]*)"\] \[error="(?P<why>(?:[^"\\]|\\.)*)"')


def explained(home: Path, log: Path, offset: int) -> str:
    """Give the cause and the way out, to stand behind what happened; the start's log begins at `offset` bytes."""
    with log.open("rb") as file:
        file.seek(offset)
        text = file.read(_READ).decode(errors="replace")
    cause = next((f"{m['what']}: {m['why']}" for p in (_ETCD, _FATAL, _ERROR) if (m := p.search(text))), "")
    if _FULL.search(cause):
        return f", for its disk is full ({cause[:300]}): free some space for {home} and try again"
    told = f" ({cause[:300]})" if cause else ""
    return f"{told}: if its data are damaged, move {home / 'data'} away and build the indexes again with `index build`"
