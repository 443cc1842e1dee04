"""What goes to a client process and what comes back; it imports nothing, as client.py says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.search.milvus.refusals import Meaning

LOWEST_US, HIGHEST_US, DIGITS = 1, 3_600_000_000, 3  # of the histogram of latencies
TIME_SLICES = 20
"""Parts of the measured time, whose answers are counted apart: they tell how far a figure may be off."""


class Reached(Protocol):
    """What is asked, as the fleet knows it; its clients know more."""

    @property
    def address(self) -> str:
        """Give where it listens."""
        ...

    @property
    def server_pids(self) -> tuple[int, ...]:
        """Give the roots of its process trees, where they run on this machine."""
        ...


@dataclass(frozen=True)
class Target:
    """Where a Milvus server listens, and from within its own network where it has one."""

    address: str
    """host:port, for everybody."""
    token: str
    tls: bool = False
    inner: str = ""
    """host:port within the server's own network."""
    pid: int = 0
    """A process in that network; 0 where there is none."""
    server_pids: tuple[int, ...] = ()
    """The roots of the server's process trees, where they run on this machine."""

    def __repr__(self) -> str:
        return f"Target({self.address})"  # a token never reaches a log


@dataclass(frozen=True)
class Work:
    """What one client asks: its share of the requests, again and again."""

    requests: Sequence[Any]
    """Serialised search requests; (nq, dim) queries for the client 'pymilvus'."""
    seconds: float
    warm_up_s: float
    rate: float | None = None
    """Requests a second that this client offers; None: the next one follows the answer."""
    lag_s: float = 0.0
    """How long after the start its first request is due, so that clients of an open loop take turns."""
    client: str = "raw"
    search: dict[str, Any] = field(default_factory=dict)
    """collection, field, metric, params and top_k, for the client 'pymilvus'."""


@dataclass
class Report:
    """What one client measured."""

    requests: int = 0
    seconds: float = 0.0
    """From the start to its last answer."""
    cpu_s: float = 0.0
    answered: list[int] = field(default_factory=list)
    """Requests that were answered in each slice of the time."""
    histograms: list[bytes] = field(default_factory=list)
    """Of each slice's latencies in microseconds, as HdrHistogram encodes them."""
    answers: list[Any] = field(default_factory=list)
    """One to each of its requests; None where there was no time."""
    failed: int = 0
    failures: list[bytes] = field(default_factory=list)
    unsent: int = 0
    """Requests of an open loop that were due and could not be sent in time."""
    error: tuple[Meaning, str] | None = None
    """Why it could not go on: what that means, and the error's text."""
