"""Builds that were cancelled and may go on in the embedded server: neither dropping the index nor the rows ends them.

milvus/abandoned/ID.json   one build; whoever finds it over removes it, so that nobody need lock a list
"""

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from pipeline.core.text import duration
from pipeline.store.workspace import Workspace, read_json, write_json

_LONG_OVER = 2.0  # times the expected seconds; an estimate is no promise
_LOOKS, _PAUSE_S = 10, 0.05
Process = tuple[int, float]  # pid and start: one process and no other


@dataclass(frozen=True)
class Abandoned:
    """A build that nobody waits for any more."""

    index: str
    type: str
    rows: int
    since: float
    """When it was cancelled, in Unix seconds."""
    expected_s: float
    """How long the build was to take, in seconds from its begin."""
    pid: int
    started: float
    """When the server's process was started, in Unix seconds."""

    def __str__(self) -> str:
        """Say what it holds up, and the way out."""
        gone = duration(max(1, round(time.time() - self.since)))
        return (
            f"may still be building {self.type} over {self.rows:,} rows, cancelled {gone} ago: later builds wait "
            "behind it; `milvus restart` ends it"
        )


@contextlib.contextmanager
def leaving(
    workspace: Workspace, embedded: bool, index: str, kind: str, rows: int, expected_s: float
) -> Iterator[None]:
    """Note a build that is left within the block, as the embedded server may go on with it."""
    built_by = server(workspace) if embedded else (0, 0.0)
    try:
        yield
    except BaseException:
        note(workspace, built_by, index, kind, rows, expected_s)
        raise


def note(workspace: Workspace, built_by: Process, index: str, kind: str, rows: int, expected_s: float) -> None:
    """Remember that a build was left alone; nothing is noted where the server that began it has ended."""
    if built_by[0] and built_by == server(workspace):
        left = Abandoned(index, kind, rows, time.time(), expected_s, *built_by)
        folder = _folder(workspace)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{uuid.uuid4().hex}.json", asdict(left))


def going_on(workspace: Workspace) -> list[Abandoned]:
    """List the builds that may still go on, oldest first, and forget those that do not.

    A build ends with its server's process. The server does not tell of one whose index is dropped, so it is also taken
    for over when twice its expected time has passed since and the server is idle; only then this looks for .5 s.
    """
    now = server(workspace)
    found = []
    for path in _folder(workspace).glob("*.json"):
        if (values := read_json(path)) is None:  # somebody else found it over
            continue
        entry = Abandoned(**values)
        over = (entry.pid, entry.started) != now
        late = time.time() > entry.since + _LONG_OVER * entry.expected_s
        if over or (late and _is_idle(entry.pid)):
            path.unlink(missing_ok=True)
        else:
            found.append(entry)
    return sorted(found, key=lambda entry: entry.since)


def _folder(workspace: Workspace) -> Path:
    return workspace.root / "milvus" / "abandoned"


def server(workspace: Workspace) -> Process:
    """Give (pid, start) of the embedded server's process; pid 0 where none runs."""
    pid = int((read_json(workspace.root / "milvus" / "server.json") or {}).get("pid") or 0)
    with contextlib.suppress(psutil.Error):
        if pid and (process := psutil.Process(pid)).status() != psutil.STATUS_ZOMBIE:
            return pid, process.create_time()
    return 0, 0.0


def _is_idle(pid: int) -> bool:
    """Tell whether a process mostly sleeps; its share of the processor would be small on a busy machine, too."""
    found = 0
    for _ in range(_LOOKS):
        found += _wants_to_run(pid)
        time.sleep(_PAUSE_S)
    return found < _LOOKS / 2


def _wants_to_run(pid: int) -> bool:
    """Tell whether one of a process's threads runs, or would if there were a processor for it (proc(5), state R)."""
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            if path.read_text().rpartition(")")[2].split()[0] == "R":
                return True
    return False
