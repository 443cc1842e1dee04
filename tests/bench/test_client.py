"""The replaying loop on calls made up here, since what it must not do – hide a stall – needs a server that stalls."""

import time

import pytest
from hdrh.histogram import HdrHistogram
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from pipeline.bench.client import histogram, is_refused, replay, rest
from pipeline.bench.fleet import is_client_bound
from pipeline.bench.work import Report, Work


def _never(answer: object) -> bool:
    return False


def test_a_closed_loop_asks_again_when_it_is_answered() -> None:
    asked: list[str] = []

    def ask(request: str) -> str:
        asked.append(request)
        time.sleep(0.01)
        return request.upper()

    start = time.monotonic() + 0.05
    report, latencies = replay(ask, Work(["a", "b", "c"], 0.2, 0), start, 0.2, _never)
    assert asked[:4] == ["a", "b", "c", "a"]
    assert report.answers == ["A", "B", "C"]
    assert report.requests == len(asked) == len(latencies)
    assert 0.2 <= report.seconds < 0.3
    assert all(0.01 <= latency < 0.1 for latency in latencies)
    assert report.cpu_s < 0.1


def test_an_open_loop_charges_a_stall_to_every_request_that_it_held_up() -> None:
    count = 0

    def stalls_once(request: str) -> str:
        nonlocal count
        count += 1
        time.sleep(0.2 if count == 5 else 0.0005)
        return request

    report, latencies = replay(stalls_once, Work(["a"], 0.5, 0, rate=100), time.monotonic(), 0.5, _never)
    assert report.requests == 50
    held_up = sorted(latency for latency in latencies if latency > 0.015)
    assert len(held_up) >= 15, "20 requests were due within the stall"
    assert held_up[-1] >= 0.19
    assert sum(latencies) > 1.5, "together they waited 20 x .1 s; timed from when they were sent, it would be .2 s"


def test_an_open_loop_that_cannot_keep_its_rate_counts_what_is_still_waiting() -> None:
    def slow(request: str) -> str:
        time.sleep(0.05)
        return request

    report, latencies = replay(slow, Work(["a"], 0.5, 0, rate=100), time.monotonic(), 0.5, _never)
    assert 8 <= report.requests <= 10
    assert report.unsent >= 35
    assert len(latencies) == report.requests + report.unsent
    assert max(latencies) > 0.35


def test_the_wall_clock_may_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)  # as if it was set back by decades while it was measured
    report, latencies = replay(lambda r: r, Work(["a"], 0.1, 0), time.monotonic(), 0.1, _never)
    assert report.seconds >= 0.1
    assert min(latencies) >= 0


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
        merged.decode_and_add(histogram(part))
    assert merged.get_total_count() == 100
    assert merged.get_value_at_percentile(50) == pytest.approx(1234, rel=1e-3)
    assert merged.get_value_at_percentile(100) == pytest.approx(61_000_000, rel=1e-3)


@pytest.mark.parametrize(
    ("client", "server", "processes", "bound"),
    [
        (0.86, 0.28, 1, True),  # pymilvus at nq 1,000: one process decodes, two cores wait
        (0.02, 1.9, 1, False),  # the same requests, answers left as bytes
        (1.6, 0.4, 4, True),
        (0.6, 1.4, 10, False),
        (0.1, 0.02, 1, False),  # both wait: for the network, or for a GPU
        (0.6, None, 1, True),
        (0.4, None, 1, False),
    ],
)
def test_the_client_is_the_limit_when_it_computes_longer_for_each_core(
    client: float, server: float | None, processes: int, bound: bool
) -> None:
    assert is_client_bound(client * 5, server and server * 5, 5.0, processes, 2) is bound
