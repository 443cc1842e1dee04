"""What is told of the time left: near the truth in recorded work, never 0 or rising in silence in any."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.jobs.forecast import Forecast, time_left_words
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import Piece, Pieces

TRACES = sorted(path.stem for path in (Path(__file__).parent / "traces").glob("*.json"))
SHORT_S = 1.0  # before the end, where a factor says nothing
Told = list[tuple[float, float]]


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "traces" / f"{name}.json").read_text())
    return found


def _trained(trace: dict[str, Any], past: Past) -> Told:
    """Replay a training's reports; give (seconds gone, seconds told in all)."""
    forecast = Forecast(0.0, past.expected("train") if past.knows("train") else None, past.course("train"))
    told = [(at, forecast.report(at, done, total)) for at, done, total in trace["reports"]]
    past.took("train", 1.0, trace["seconds"], forecast.travelled(trace["seconds"]))
    return [(at, at + left) for at, left in told if left is not None]


def _worked(trace: dict[str, Any], past: Past) -> Told:
    """Replay the pieces of a build or a sweep by a clock of its own; give (seconds gone, seconds told in all)."""
    told: Told = []
    clock, used = [0.0], [0.0]
    forecast = Forecast(0.0)

    def report(done: float, total: float, text: str = "", point: object = None) -> None:
        if (left := forecast.report(clock[0], done, total)) is not None:
            told.append((clock[0], clock[0] + left))

    pieces = Pieces([Piece(*piece) for piece in trace["pieces"]], past, report, lambda: clock[0])
    for at, kind, *rest in trace["events"]:
        clock[0] = at
        if kind == "begin":
            used[0] = 0.0
            looks = (lambda: used[0]) if rest[0].startswith("build") else None
            under_way = pieces.doing(Piece(*rest), "", looks)
            under_way.__enter__()
        elif kind == "cpu":
            used[0] = rest[0]
            pieces.say("")
        else:
            under_way.__exit__(None, None, None)
            pieces.say("")
    return told


REPLAYS: dict[str, Callable[[dict[str, Any], Past], Told]] = {"training": _trained, "pieces": _worked}


def _off(told: Told, seconds: float) -> float:
    """Give the most times by which what was told is off, after a fifth of the time."""
    late = [total / seconds for at, total in told if 0.2 * seconds <= at <= seconds - SHORT_S]
    assert late
    return max(max(times, 1 / times) for times in late)


@pytest.mark.parametrize("name", [name for name in TRACES if not name.endswith("-2")])
def test_after_a_fifth_the_first_of_its_kind_is_told_within_a_factor_of_two(name: str) -> None:
    trace = _read(name)
    assert _off(REPLAYS[trace["what"]](trace, Past()), trace["seconds"]) < 2


@pytest.mark.parametrize("name", [name for name in TRACES if name.endswith("-2")])
def test_the_second_of_its_kind_is_told_from_the_first_as_soon_as_it_begins(name: str) -> None:
    first, second, past = _read(name.replace("-2", "-1")), _read(name), Past()
    replay, seconds = REPLAYS[first["what"]], second["seconds"]
    without = replay(second, Past())
    replay(first, past)
    told = replay(second, past)
    assert told[0][0] <= without[0][0]
    assert abs(math.log(told[0][1] / seconds)) < abs(math.log(without[0][1] / seconds))
    assert _off(told, seconds) < 2


def _number(text: str) -> float:
    """Read what is left as a person does, in seconds."""
    if "a few seconds left" in text:
        return 5.0
    units = {"h": 3600.0, "min": 60.0, "s": 1.0}
    return sum(float(n) * units[unit] for n, unit in re.findall(r"([\d.]+) (h|min|s)\b", text.partition(" left")[0]))


SECONDS = st.floats(0, 1e4)
REPORTS = st.lists(st.tuples(SECONDS, st.floats(0, 1), SECONDS), min_size=1, max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    REPORTS,
    st.none() | st.floats(1e-3, 1e6),
    st.just([]) | st.lists(st.floats(0, 1), min_size=9, max_size=9).map(lambda c: [0.0, *sorted(c), 1.0]),
    st.floats(1e-3, 1e6),
)
def test_what_is_left_is_never_0_and_rises_only_with_the_words(
    reports: list[tuple[float, float, float]], expected: float | None, course: list[float], total: float
) -> None:
    """For any work that goes forward: reports of (seconds since the last, share of the rest, seconds until a look)."""
    forecast, now, share, before = Forecast(0.0, expected, course), 0.0, 0.0, math.inf
    for pause, part, look in reports:
        now, share = now + pause, share + part * (1 - share)
        left = forecast.report(now, share * total, total)
        if share >= 1:
            assert left is None
            break
        progress = {"left_s": left, "longer": forecast.longer, "started": 0.0, "at": now, "step": 1, "steps": 1}
        if left is None:
            continue
        assert left >= 1
        assert math.isfinite(left)
        for at in (now, now + look):
            text = time_left_words(progress, at)
            assert not re.match(r"0|-|nan|.* ms", text)
            if " left" in text:
                assert _number(text) <= before or "longer than estimated" in text
                before = _number(text)
            else:
                assert text.startswith("longer than estimated, ")
        now += look


def test_what_is_told_falls_by_the_clock_and_then_says_that_it_was_wrong() -> None:
    progress = {"left_s": 30.0, "longer": False, "started": 0.0, "at": 20.0, "step": 1, "steps": 2}
    assert time_left_words(progress, 20.0) == "30 s left of this step"
    assert time_left_words(progress, 40.0) == "10 s left of this step"
    assert time_left_words(progress, 47.0) == "a few seconds left of this step"
    assert time_left_words(progress, 120.0) == "longer than estimated, 2 min so far"
    assert time_left_words(progress | {"longer": True, "step": 2}, 20.0) == "30 s left, longer than estimated"
    assert time_left_words(progress | {"left_s": None}, 20.0) == ""


def test_small_changes_of_an_estimate_are_not_told() -> None:
    forecast = Forecast(0.0, 100.0)
    assert forecast.report(0.0, 0, 100) == 100
    forecast.report(1.0, 1, 100)
    assert forecast.report(51.0, 49, 100) == pytest.approx(49.0)  # 104 in all by the pace
    assert not forecast.longer
    assert forecast.report(80.0, 60, 100) == pytest.approx(79 / 59 * 40)
    assert forecast.longer
