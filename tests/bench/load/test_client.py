"""The replaying loop on calls made up here, since what it must not do – hide a stall – needs a server that stalls."""

import pytest
from hdrh.histogram import HdrHistogram
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from pipeline.bench.load import client
from pipeline.bench.load.client import histograms, is_refused, latency_histogram, replay, rest
from pipeline.bench.load.fleet import is_client_bound
from pipeline.bench.load.messages import Report, Work


class Clock:
    """A monotonic clock that only sleeping moves, so that what is measured is what is asserted."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1e-9)

    def process_time(self) -> float:
        return self.now / 10

    def time(self) -> float:
        raise AssertionError("the wall clock may jump, and nothing here may read it")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(client, "time", made)
    return made


def _never(answer: object) -> bool:
    return False


def test_a_closed_loop_asks_again_when_it_is_answered(clock: Clock) -> None:
    asked: list[str] = []

    def ask(request: str) -> str:
        asked.append(request)
        clock.sleep(1 / 64)
        return request.upper()

    report, latencies = replay(ask, Work(["a", "b", "c"], 0.25, 0), clock.now + 0.5, 0.25, _never)
    assert asked[:4] == ["a", "b", "c", "a"]
    assert report.answers == ["A", "B", "C"]
    assert report.requests == len(asked) == len(latencies) == 16
    assert report.seconds == 0.25
    assert latencies == [1 / 64] * 16
    assert sum(report.answered) == 16
    assert set(report.answered) <= {0, 1, 2}
    assert report.cpu_s == pytest.approx(0.025)


def test_an_open_loop_charges_a_stall_to_every_request_that_it_held_up(clock: Clock) -> None:
    count = 0

    def stalls_once(request: str) -> str:
        nonlocal count
        count += 1
        clock.sleep(0.2 if count == 5 else 0.0005)
        return request

    report, latencies = replay(stalls_once, Work(["a"], 0.5, 0, rate=100), clock.now, 0.5, _never)
    assert (report.requests, report.unsent) == (50, 0)
    assert sum(report.answered) == 50
    assert [n for n, count in enumerate(report.answered) if not count] == [2, 3, 4, 5, 6, 7, 8], "of 25 ms each"
    counted = [HdrHistogram.decode(part).get_total_count() for part in histograms(latencies, report.answered)]
    assert counted == report.answered
    held_up = sorted(latency for latency in latencies if latency > 0.001)
    assert len(held_up) == 21, "the one that stalled, and 20 that were due meanwhile and until they were caught up with"
    assert held_up[-1] == pytest.approx(0.2)
    assert sum(latencies) > 2, "timed from when they were sent, it would be .2 s in all"


def test_clients_of_an_open_loop_take_turns(clock: Clock) -> None:
    sent: list[float] = []

    def ask(request: str) -> str:
        sent.append(clock.now - 1000)
        clock.sleep(0.001)
        return request

    replay(ask, Work(["a"], 0.5, 0, rate=10, lag_s=0.05), clock.now, 0.5, _never)
    assert sent == pytest.approx([0.05, 0.15, 0.25, 0.35, 0.45])


def test_an_open_loop_that_cannot_keep_its_rate_counts_what_is_still_waiting(clock: Clock) -> None:
    def slow(request: str) -> str:
        clock.sleep(1 / 16)
        return request

    report, latencies = replay(slow, Work(["a"], 0.5, 0, rate=64), clock.now, 0.5, _never)
    assert (report.requests, report.unsent) == (8, 24)
    assert len(latencies) == 32
    assert max(latencies) == 0.5 - 7 / 64, "the eighth was due after 7/64 s and answered after .5 s"


def test_what_there_was_no_time_for_is_asked_afterwards_and_refusals_are_not_kept() -> None:
    report = Report(answers=["a", None, None])
    rest(lambda r: r.upper(), Work(["a", "b", "c"], 1, 0), report, lambda answer: answer == "C", 5)
    assert report.answers == ["a", "B", None]
    late = Report(answers=[None])
    rest(lambda r: r, Work(["a"], 1, 0), late, _never, 0)
    assert late.answers == [None]


def test_an_error_in_an_answer_is_seen_without_parsing_it() -> None:
    ids = schema_pb2.IDs(int_id=schema_pb2.LongArray(data=range(500)))
    results = schema_pb2.SearchResultData(num_queries=1, top_k=500, ids=ids)
    fine = (common_pb2.Status(), common_pb2.Status(extra_info={"report_value": "1234567"}))
    for status in fine:
        assert not is_refused(milvus_pb2.SearchResults(status=status, results=results).SerializeToString())
    refusals = (
        common_pb2.Status(error_code=1, reason="collection not loaded"),
        common_pb2.Status(code=101, reason="x" * 4000, detail="y"),
        common_pb2.Status(reason="out of memory"),
        common_pb2.Status(code=5),
    )
    for status in refusals:
        assert is_refused(milvus_pb2.SearchResults(status=status).SerializeToString())
    assert is_refused(b"")


def test_latencies_keep_three_digits() -> None:
    merged = HdrHistogram(1, 3_600_000_000, 3)
    for part in ([0.0012345] * 98, [0.5, 61.0], []):
        merged.decode_and_add(latency_histogram(part))
    assert merged.get_total_count() == 100
    assert merged.get_value_at_percentile(50) == pytest.approx(1234, rel=1e-3)
    assert merged.get_value_at_percentile(100) == pytest.approx(61_000_000, rel=1e-3)


@pytest.mark.parametrize(
    ("client_s", "server", "usable", "bound"),
    [
        (0.86, 0.28, 1, True),  # pymilvus at nq 1,000: one process decodes, two cores wait
        (0.02, 1.9, 1, False),  # the same requests, answers left as bytes
        (1.6, 0.4, 2, True),
        (0.6, 1.4, 2, False),
        (0.1, 0.02, 1, False),  # both wait: for the network, or for a GPU
        (0.6, None, 1, True),
        (0.4, None, 1, False),
    ],
)
def test_the_client_is_the_limit_when_it_computes_longer_for_each_core(
    client_s: float, server: float | None, usable: int, bound: bool
) -> None:
    assert is_client_bound(client_s * 5, server and server * 5, 5.0, usable, 2) is bound
