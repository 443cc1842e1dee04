"""Join the socket that clients reach to the server behind its wall: one thread, woken only where bytes wait.

Two threads for each connection would take the interpreter twice a message; one thread with epoll costs a few per cent
of the QPS (tests/benchmarks/relay.py). Nothing here blocks: a slow client holds up only itself.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

_CHUNK = 1 << 18  # bytes moved at once


@dataclass
class _Way:
    """One direction of one connection; `rest` is what the sink would not take yet."""

    source: socket.socket
    sink: socket.socket
    rest: bytes = b""
    ended: bool = False
    watched: int = select.EPOLLIN  # what is waited for at the source


class Relay:
    """Take every connection of `public` to the port; `port` may change when the server restarts."""

    def __init__(self, public: socket.socket, port: Callable[[], int]) -> None:
        self._public, self._port = public, port
        self._public.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(public, select.EPOLLIN)
        self._ways: dict[int, tuple[_Way, _Way]] = {}  # descriptor -> the way out of this socket, the way into it
        self._buffer = memoryview(bytearray(_CHUNK))

    def start(self) -> None:
        """Relay in a thread of its own for as long as the process lives."""
        threading.Thread(target=self._run, name="relay", daemon=True).start()

    def _run(self) -> None:
        while True:
            gone = []  # closed after the round, so that no event of it meets a new socket with the same number
            for descriptor, event in self._epoll.poll():
                if descriptor == self._public.fileno():
                    self._accept()
                elif not self._move(descriptor, event):
                    gone.append(descriptor)
            for descriptor in gone:
                self._close(descriptor)

    def _accept(self) -> None:
        try:
            outside, _ = self._public.accept()
        except OSError:  # it went away again, or there are too many open files: the next try may work
            return
        inside = socket.socket()
        for end in (outside, inside):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # nobody there yet: epoll says so, and the client tries once more
            inside.connect_ex(("127.0.0.1", self._port()))
        there, back = _Way(outside, inside), _Way(inside, outside)
        self._ways[outside.fileno()] = there, back
        self._ways[inside.fileno()] = back, there
        for end in (outside, inside):
            self._epoll.register(end, select.EPOLLIN)

    def _move(self, descriptor: int, event: int) -> bool:
        """Move what can be moved; False where the connection has ended."""
        if descriptor not in self._ways:
            return True
        way, into = self._ways[descriptor]
        if event & select.EPOLLERR:
            return False
        try:
            if event & select.EPOLLOUT and into.rest:
                self._send(into, into.rest)
            if event & (select.EPOLLIN | select.EPOLLHUP) and not way.rest and not way.ended:
                self._receive(way)
            for end in (way.source, way.sink):
                self._watch(end)
        except OSError:
            return False
        return not (way.ended and into.ended and not way.rest and not into.rest)

    def _receive(self, way: _Way) -> None:
        try:
            count = way.source.recv_into(self._buffer)
        except BlockingIOError:
            return
        if count:
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
        """Wait for what this socket can bring: bytes while there is room for them, room while bytes wait."""
        way, into = self._ways[end.fileno()]
        readable = 0 if way.rest or way.ended else select.EPOLLIN
        wanted = readable | (select.EPOLLOUT if into.rest else 0)
        if wanted != way.watched:
            self._epoll.modify(end, wanted)
            way.watched = wanted

    def _close(self, descriptor: int) -> None:
        if descriptor not in self._ways:
            return
        way, _ = self._ways.pop(descriptor)
        self._ways.pop(way.sink.fileno())
        for end in (way.source, way.sink):
            self._epoll.unregister(end)
            end.close()
