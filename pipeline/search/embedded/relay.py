"""Join the socket that clients reach to the server behind its wall: one thread, woken only where bytes wait.

Two threads for each connection would take the interpreter twice a message; one thread with epoll costs a few per cent
of the QPS (tests/benchmarks/relay.py). Nothing here blocks: a slow client holds up only itself.

Whoever is on this machine may connect, so connections are bounded: beyond that many, and where files run short, one of
those that have never said anything is closed, else the one that has moved nothing for longest. A new client always
gets in, and one that was only idle connects anew at its next call, as gRPC does.
"""

import contextlib
import errno
import itertools
import resource
import select
import socket
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_CHUNK = 1 << 18  # bytes moved at once
_MOST = 1000  # connections, each of which is a file more for Milvus, too
_SPARE = 100  # files that the process needs beside them
_SILENT_S = 10.0  # in which a client has to say something: gRPC's begin at once
_PAUSE_S = 0.2  # in which no connection is taken, where closing one gives no room for another
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass
class _Way:
    """One direction of one connection; `rest` is what the sink would not take yet."""

    source: socket.socket
    sink: socket.socket
    client: int  # the descriptor of the client's end, which names the connection
    rest: bytes = b""
    ended: bool = False
    watched: int = select.EPOLLIN  # what is waited for at the source


class Relay:
    """Take every connection of `public` to the port; `port` may change when the server restarts."""

    def __init__(self, public: socket.socket, port: Callable[[], int], most: int = _MOST) -> None:
        """Hold up to `most` connections, fewer where this process may not open as many files."""
        self._public, self._port = public, port
        self._most = max(1, min(most, (_raised_limit() - _SPARE) // 2))
        self._public.setblocking(False)
        self._buffer = memoryview(bytearray(_CHUNK))
        self._thread: threading.Thread | None = None
        self._told: set[str] = set()
        self._begin()

    def start(self) -> None:
        """Relay in a thread of its own for as long as the process lives; a thread that ended is replaced."""
        if self._thread is None or not self._thread.is_alive():
            if self._thread is not None:
                self._end()
                self._begin()
            self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
            self._thread.start()

    def _begin(self) -> None:
        self._ways: dict[int, tuple[_Way, _Way]] = {}  # descriptor -> the way out of this socket, the way into it
        self._recent: OrderedDict[int, None] = OrderedDict()  # clients' ends, the one that moved something last at last
        self._silent: dict[int, float] = {}  # clients' ends that have said nothing yet -> when they came
        self._resume = 0.0  # when connections are taken again; 0 while they are
        self._epoll = select.epoll()
        self._epoll.register(self._public, select.EPOLLIN)

    def _end(self) -> None:
        self._epoll.close()
        for way, _ in self._ways.values():
            way.source.close()

    def _run(self) -> None:
        while True:
            gone = set()  # closed after the round, so that no event of it meets a new socket with the same number
            arrived = False
            for descriptor, event in self._epoll.poll(_PAUSE_S if self._resume else 1.0 if self._silent else None):
                if descriptor == self._public.fileno():
                    arrived = True
                elif not self._moved(descriptor, event):
                    gone.add(descriptor)
            gone.update(self._too_silent())
            for descriptor in gone:
                self._close(descriptor)
            if arrived:
                self._accept()
            if self._resume and time.monotonic() > self._resume:
                self._resume = 0.0
                self._epoll.register(self._public, select.EPOLLIN)

    def _too_silent(self) -> list[int]:
        """List the clients' ends that have had time enough to say something; the first came first."""
        now = time.monotonic()
        return [client for client, _ in itertools.takewhile(lambda p: p[1] < now - _SILENT_S, self._silent.items())]

    def _accept(self) -> None:
        if len(self._recent) >= self._most:
            self._close_one()
        ends: list[socket.socket] = []
        try:
            ends.append(socket.socket())
            ends.append(self._public.accept()[0])
            self._join(*ends)
        except Exception as error:
            for end in ends:
                self._drop(end)
            if isinstance(error, OSError) and error.errno in _SHORT:  # who asked waits for the next round
                if not self._close_one() or error.errno != errno.EMFILE:
                    self._epoll.unregister(self._public)
                    self._resume = time.monotonic() + _PAUSE_S
            elif not isinstance(error, BlockingIOError | ConnectionError):  # else it went away again
                self._tell(error)

    def _join(self, inside: socket.socket, outside: socket.socket) -> None:
        for end in (outside, inside):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # nobody there yet: epoll says so, and the client tries once more
            inside.connect_ex(("127.0.0.1", self._port()))
        for end in (outside, inside):
            self._epoll.register(end, select.EPOLLIN)
        client = outside.fileno()
        there, back = _Way(outside, inside, client), _Way(inside, outside, client)
        self._ways[client] = there, back
        self._ways[inside.fileno()] = back, there
        self._recent[client] = None
        self._silent[client] = time.monotonic()

    def _moved(self, descriptor: int, event: int) -> bool:
        """Move what can be moved; False where the connection has ended, or cannot go on for whatever reason."""
        try:
            return self._move(descriptor, event)
        except OSError:
            return False
        except Exception as error:
            self._tell(error)
            return False

    def _move(self, descriptor: int, event: int) -> bool:
        if descriptor not in self._ways:
            return True
        way, into = self._ways[descriptor]
        if event & select.EPOLLERR:
            return False
        if event & select.EPOLLOUT and into.rest:
            self._send(into, into.rest)
        if event & (select.EPOLLIN | select.EPOLLHUP) and not way.rest and not way.ended:
            self._receive(way)
        for end in (way.source, way.sink):
            self._watch(end)
        self._recent.move_to_end(way.client)
        return not (way.ended and into.ended and not way.rest and not into.rest)

    def _receive(self, way: _Way) -> None:
        try:
            count = way.source.recv_into(self._buffer)
        except BlockingIOError:
            return
        if count:
            if self._silent and way.source.fileno() == way.client:
                self._silent.pop(way.client, None)
            self._send(way, self._buffer[:count])
        else:
            way.ended = True
            way.sink.shutdown(socket.SHUT_WR)

    def _send(self, way: _Way, data: bytes | memoryview) -> None:
        try:
            sent = way.sink.send(data)
        except BlockingIOError:
            sent = 0
        way.rest = bytes(data[sent:])

    def _watch(self, end: socket.socket) -> None:
        """Wait for what this socket can bring: bytes while there is room for them, room while bytes wait.

        One that can bring nothing now is not watched at all: that it was closed would be told again and again.
        """
        way, into = self._ways[end.fileno()]
        readable = 0 if way.rest or way.ended else select.EPOLLIN
        wanted = readable | (select.EPOLLOUT if into.rest else 0)
        if wanted == way.watched:
            return
        if not wanted:
            self._epoll.unregister(end)
        elif not way.watched:
            self._epoll.register(end, wanted)
        else:
            self._epoll.modify(end, wanted)
        way.watched = wanted

    def _close_one(self) -> bool:
        """Close the connection that is missed least: one that never said anything, else the one idle for longest.

        False where there is none.
        """
        client = next(itertools.chain(self._silent, self._recent), None)
        if client is not None:
            self._close(client)
        return client is not None

    def _close(self, descriptor: int) -> None:
        if descriptor not in self._ways:
            return
        way, _ = self._ways.pop(descriptor)
        self._ways.pop(way.sink.fileno(), None)
        self._recent.pop(way.client, None)
        self._silent.pop(way.client, None)
        self._drop(way.source)
        self._drop(way.sink)

    def _drop(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):  # it was not watched
            self._epoll.unregister(end)
        with contextlib.suppress(OSError):
            end.close()

    def _tell(self, error: Exception) -> None:
        """Write a defect to the log, each kind of it once: a client could bring it about without end."""
        if repr(error) not in self._told and len(self._told) < 20:
            self._told.add(repr(error))
            traceback.print_exception(error, file=sys.stderr)


def _raised_limit() -> int:
    """Let this process open as many files as it may; give how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # a kernel may allow less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
