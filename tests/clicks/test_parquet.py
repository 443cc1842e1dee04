"""Parquet that people have: columns of every type are read, or refused with column, row and way out."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from pipeline.core.columns import ITEM_ID, SESSION_ID, TIMESTAMP
from tests.clicks.written import FIRST, TIMES, Build, read, refused

SAME_TIMES: dict[str, Any] = {
    "dictionary": pa.array(TIMES).dictionary_encode(),
    "large_string": pa.array(TIMES, pa.large_string()),
    "binary": pa.array([t.encode() for t in TIMES]),
    "naive": pa.array([datetime(2014, 4, 7, 10, 51, 9)] * 3, pa.timestamp("ns")),
    "zone": pa.array([FIRST] * 3, pa.timestamp("s", "Europe/Berlin")),
    "offset that Polars has not": pa.array([FIRST] * 3, pa.timestamp("ms", "-03:30")),
    "int64 ns": pa.array([1396867869_000_000_000] * 3),
    "uint64 µs": pa.array([1396867869_000_000] * 3, pa.uint64()),
    "int32 s": pa.array([1396867869] * 3, pa.int32()),
    "float s": pa.array([1396867869.0] * 3),
    "decimal": pa.array([Decimal("1396867869.00")] * 3),
    "decimal256": pa.array([Decimal("1396867869.00")] * 3, pa.decimal256(50, 2)),
    "dictionary of numbers": pa.array([1396867869, 1396867869, 1396867869]).dictionary_encode(),
}


@pytest.mark.parametrize("case", SAME_TIMES)
def test_parquet_times_of_every_type(parquet: Build, case: str) -> None:
    assert read(parquet(time=SAME_TIMES[case])).clicks[TIMESTAMP][0] == FIRST


def test_days_are_midnights(parquet: Build) -> None:
    for days in (pa.array([date(2014, 4, 7)] * 3), pa.array([date(2014, 4, 7)] * 3, pa.date64())):
        assert read(parquet(time=days)).clicks[TIMESTAMP][0] == datetime(2014, 4, 7, tzinfo=UTC)
    found = read(parquet(time=pa.array([date(2014, 4, 7)] * 3)))
    assert any("whole days" in note for note in found.notes)


def test_float32_times_say_how_coarse_they_are(parquet: Build) -> None:
    assert any("128 s apart" in note for note in read(parquet(time=pa.array([1396867869.0] * 3, pa.float32()))).notes)


IDS: dict[str, tuple[Any, list[Any]]] = {
    "categorical": (pa.array(["x", "x", "y"]).dictionary_encode(), ["x", "x", "y"]),
    "dictionary of numbers": (pa.array([7, 7, 8]).dictionary_encode(), [7, 7, 8]),
    "beyond int64": (pa.array([2**63 + 6, 2**63 + 6, 2**63 + 7], pa.uint64()), [str(2**63 + n) for n in (6, 6, 7)]),
    "whole floats": (pa.array([7.0, 7.0, 8.0]), [7, 7, 8]),
    "float16": (pa.array([7.0, 7.0, 8.0], pa.float16()), [7, 7, 8]),
    "floats": (pa.array([7.5, 7.5, 8.0]), ["7.5", "7.5", "8"]),
    "decimals": (pa.array([Decimal("7.00"), Decimal("7.00"), Decimal("8.00")]), [7, 7, 8]),
    "bytes": (pa.array([b"x", b"x", b"y"]), ["x", "x", "y"]),
    "text": (pa.array(["007", "007", "1e5"]), ["007", "007", "1e5"]),
}


@pytest.mark.parametrize("case", IDS)
def test_parquet_ids_of_every_type(parquet: Build, case: str) -> None:
    values, expected = IDS[case]
    assert read(parquet(item=values)).clicks[ITEM_ID].to_list() == expected
    assert sorted(read(parquet(session=values)).clicks[SESSION_ID].to_list()) == sorted(expected)


NO_IDS: dict[str, tuple[dict[str, Any], str]] = {
    "NaN session": (
        {"session": pa.array([1.0, float("nan"), 2.0])},
        ": row 2 has no session in column 'session' (nan)",
    ),
    "null session": ({"session": pa.array(["x", None, "y"])}, ": row 2 has no session in column 'session' (null)"),
    "null item": ({"item": pa.array([1, 2, None])}, ": row 3 has no item in column 'item' (null)"),
    "rounded": (
        {"item": pa.array([1.0, 2.0**53 + 2, 2.0])},
        "row 2 has 9007199254740994.0 in column 'item', which went",
    ),
    "rounded float32": ({"item": pa.array([1.0, 2.0**25, 2.0], pa.float32())}, "from 2^24 on run into one another"),
    "infinite": (
        {"item": pa.array([1.0, float("inf"), 2.0])},
        "row 2 has inf in column 'item', which holds an infinite",
    ),
    "not text": ({"item": pa.array([b"a", b"\xff\xfe", b"c"])}, "row 2 has b'\\xff\\xfe' in column 'item', which"),
    "lists of items": ({"item": pa.array([["a"], ["b"], ["c"]])}, "column 'item' holds lists (List(String))"),
    "lists of times": ({"time": pa.array([[1], [2], [3]])}, "column 'time' holds lists or structs"),
    "structs": ({"item": pa.array([{"a": 1}] * 3)}, "column 'item' holds structs"),
    "bool": ({"item": pa.array([True, False, True])}, "column 'item' holds true and false"),
    "times as ids": ({"item": pa.array([FIRST] * 3)}, "column 'item' holds times"),
    "time of day": ({"time": pa.array([time(10, 51)] * 3)}, "column 'time' holds times without their date"),
    "NaN time": (
        {"time": pa.array([1396867869.0, float("nan"), 1396867869.0])},
        "row 2 has no time in column 'time' (nan)",
    ),
    "infinite time": ({"time": pa.array([1396867869.0, float("inf"), 1396867869.0])}, "row 2 has inf in column 'time'"),
    "1970": ({"time": pa.array([0, 1396867869, 1396867869])}, "row 1 has 0 in column 'time', which cannot be read"),
    "2262": ({"time": pa.array([datetime(2261, 1, 1)] * 3, pa.timestamp("ns"))}, "row 1 has 2261-01-01"),
    "all null": ({"item": pa.nulls(3)}, "row 1 has no item in column 'item' (null)"),
}


@pytest.mark.parametrize("case", NO_IDS)
def test_parquet_that_is_refused(parquet: Build, case: str) -> None:
    columns, expected = NO_IDS[case]
    assert expected in refused(parquet(**columns))
