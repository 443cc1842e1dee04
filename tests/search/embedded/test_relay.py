"""The relay between clients and the enclosed server: every byte, both ways, and nobody waits for anybody else."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.core.project import PROJECT
from pipeline.search.embedded import supervisor
from pipeline.search.embedded.network import listen
from pipeline.search.embedded.relay import Relay
from tests.conftest import wait_for

MANY = 8_000_000  # bytes: more than the sockets' buffers hold


def _echo(served: socket.socket) -> None:
    def answer(taken: socket.socket) -> None:
        with taken:
            with contextlib.suppress(ConnectionError):
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


def _relayed(most: int = 1000) -> tuple[Relay, int]:
    inner, outer = listen(), listen()
    threading.Thread(target=_echo, args=(inner,), daemon=True).start()
    relay = Relay(outer, lambda: inner.getsockname()[1], most)
    relay.start()
    return relay, outer.getsockname()[1]


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def _answers(port: int) -> bool:
    with _client(port) as client:
        client.sendall(b"ping")
        return _all(client, 4) == b"ping"


FLOOD = """
import resource, sys
from pipeline.search.embedded import supervisor
from pipeline.search.embedded import relay
from pipeline.search.embedded.network import listen
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
outer = listen()
relay._SPARE = int(sys.argv[3])
relay.Relay(outer, lambda: int(sys.argv[2])).start()
print(outer.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("spare", [100, -1000], ids=["bounded", "short of files"])
def test_a_flood_of_connections_ends_no_relay(spare: int) -> None:
    """As anybody on this machine can open: twice as many as the process may have files, all kept open."""
    inner = listen()
    threading.Thread(target=_echo, args=(inner,), daemon=True).start()
    command = [sys.executable, "-c", FLOOD, "150", str(inner.getsockname()[1]), str(spare)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        port = int(running.stdout.readline())
        flood = [_client(port) for _ in range(300)]
        for one in flood[::3]:
            with contextlib.suppress(OSError):
                one.sendall(b"half a")
        for _ in range(10):
            assert _answers(port)
        assert psutil.Process(running.pid).num_fds() <= 150
        for one in flood:
            one.close()
        assert _answers(port)
        running.communicate()


def test_who_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.search.embedded.relay._SILENT_S", 0.2)
    _, port = _relayed()
    with _client(port) as silent, _client(port) as speaking:
        speaking.sendall(b"ping")
        assert _all(speaking, 4) == b"ping"
        assert _is_closed(silent)
        speaking.sendall(b"still")
        assert _all(speaking, 5) == b"still"


def test_the_idlest_makes_room_and_the_busy_go_on() -> None:
    _, port = _relayed(most=3)
    with contextlib.ExitStack() as opened:
        busy = opened.enter_context(_client(port))
        others = []
        for _ in range(20):
            others.append(opened.enter_context(_client(port)))
            for one in (others[-1], busy):
                one.sendall(b"ping")
                assert _all(one, 4) == b"ping"
        assert all(_is_closed(one) for one in others[:18])


def test_what_fails_within_the_relay_costs_one_connection(capfd: pytest.CaptureFixture[str]) -> None:
    relay, port = _relayed()
    receive, relay._receive = relay._receive, lambda way: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    for _ in range(3):
        with _client(port) as client:
            client.sendall(b"ping")
            assert _is_closed(client)
    relay._receive = receive  # type: ignore[method-assign]
    assert _answers(port)
    assert capfd.readouterr().err.count("Traceback") == 1, "told once"


def test_a_closed_server_whose_answer_nobody_reads_costs_no_cpu() -> None:
    """That it has closed is told again and again to whoever watches it."""
    inner, outer = listen(), listen()
    relay = Relay(outer, lambda: inner.getsockname()[1])
    relay.start()
    with _client(outer.getsockname()[1]) as client:
        client.sendall(b"all of it")
        client.shutdown(socket.SHUT_WR)
        served = inner.accept()[0]
        assert _all(served, 10) == b"all of it"
        sent = 0
        while not any(way.rest for way, _ in relay._ways.values()):
            sent += served.send(bytes(1 << 14))
            time.sleep(0.001)
        served.close()
        time.sleep(0.2)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.05
        assert len(_all(client, sent + 1)) == sent


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_supervisor_starts_a_relay_again_that_ended(tmp_path: Path) -> None:
    relay, port = _relayed()
    with _client(port) as left:
        left.sendall(b"ping")
        assert _all(left, 4) == b"ping"
        relay._epoll.unregister(relay._public)
        relay._epoll.close()  # as no error should end it
        left.sendall(b"wakes it")
        (tmp_path / "leases").mkdir()
        (tmp_path / "pinned").touch()
        stopping: list[int] = []
        with subprocess.Popen(["sleep", "60"]) as server:
            watching = threading.Thread(target=supervisor._serve, args=(tmp_path, server, stopping, relay))
            watching.start()
            assert _answers(port)
            stopping.append(signal.SIGTERM)
            watching.join()
