"""The relay between clients and the enclosed server: every byte, both ways, and nobody waits for anybody else."""

import socket
import threading
from collections.abc import Iterator

import psutil
import pytest

from pipeline.vectors.network import listen
from pipeline.vectors.relay import Relay
from tests.conftest import wait_for

MANY = 8_000_000  # bytes: more than the sockets' buffers hold


def _echo(served: socket.socket) -> None:
    def answer(taken: socket.socket) -> None:
        with taken:
            while data := taken.recv(65536):
                taken.sendall(data)

    while True:
        threading.Thread(target=answer, args=(served.accept()[0],), daemon=True).start()


@pytest.fixture
def public() -> Iterator[int]:
    """Relay to a server that sends back what it gets; give the port that clients reach."""
    inner, outer = listen(), listen()
    threading.Thread(target=_echo, args=(inner,), daemon=True).start()
    Relay(outer, lambda: inner.getsockname()[1]).start()
    return outer.getsockname()[1]


def _client(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def _all(client: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count and (data := client.recv(1 << 20)):
        found += data
    return bytes(found)


def test_every_byte_comes_back_in_order(public: int) -> None:
    sent = bytes(range(256)) * (MANY // 256)
    with _client(public) as client:
        threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
        assert _all(client, len(sent)) == sent


def test_who_stops_sending_still_gets_the_rest(public: int) -> None:
    with _client(public) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert _all(client, 100) == b"last words"


def test_who_does_not_read_holds_up_nobody_else(public: int) -> None:
    with _client(public) as slow, _client(public) as quick:
        sent = bytes(MANY)
        threading.Thread(target=slow.sendall, args=(sent,), daemon=True).start()
        for _ in range(50):
            quick.sendall(b"ping")
            assert _all(quick, 4) == b"ping"
        assert len(_all(slow, len(sent))) == len(sent)


def test_a_client_that_vanishes_leaves_no_connection_behind(public: int) -> None:
    process = psutil.Process()
    before = process.num_fds()
    for _ in range(300):
        with _client(public) as client:
            client.sendall(b"hello")
    wait_for(lambda: process.num_fds() <= before, 20, "the relay to close what has ended")


def test_without_a_server_the_connection_ends_and_a_later_one_works() -> None:
    inner, outer = listen(), listen()
    ports = [0]
    Relay(outer, lambda: ports[0]).start()
    with _client(outer.getsockname()[1]) as client:
        assert client.recv(1) == b""
    threading.Thread(target=_echo, args=(inner,), daemon=True).start()
    ports[0] = inner.getsockname()[1]
    with _client(outer.getsockname()[1]) as client:
        client.sendall(b"back")
        assert _all(client, 4) == b"back"
