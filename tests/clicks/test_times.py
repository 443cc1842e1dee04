"""Times: what is ambiguous is said or seen, and what no calendar has is refused with its row."""

from datetime import date, time

import pyarrow as pa
import pytest

from pipeline.core.columns import TIMESTAMP
from tests.clicks.written import FIRST, GOOD, Build, read, refused


def test_day_or_month_first_is_said_or_seen(text: Build) -> None:
    path = text(GOOD.replace("2014-04-07T", "07/04/2014 "))
    assert read(path, time_format="day-first").clicks[TIMESTAMP][0] == FIRST
    assert read(path, time_format="month-first").clicks[TIMESTAMP][0] == FIRST.replace(month=7, day=4)
    assert read(path, time_format="%d/%m/%Y %H:%M:%SZ").clicks[TIMESTAMP][0] == FIRST
    assert "mend --time-format '%H:%M'" in refused(path, time_format="%H:%M")
    seen = read(text(GOOD.replace("2014-04-07T10:51", "04/07/2014 10:51").replace("2014-04-07T", "04/13/2014 ")))
    assert seen.clicks[TIMESTAMP][0] == FIRST
    assert any("with the month first" in note for note in seen.notes)


@pytest.mark.parametrize("size", [1, 10**3, 10**6, 10**9])
def test_the_unit_of_a_number_is_said(text: Build, size: int) -> None:
    path = text(f"session,time,item\n1,{1396867869 * size},a\n2,{1396867870 * size},b\n")
    found = read(path)
    assert found.clicks[TIMESTAMP][0] == FIRST
    unit = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}[size]
    assert f"Times in column 'time' are read as Unix {unit}." in found.notes


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("sessionId;userId;itemId;timeframe;eventdate\n1;NULL;7;39069000;2014-04-07\n2;NULL;8;5;2014-04-08\n", None),
        ("session,date,time,item\n1,2014-04-07,10:51:09,7\n2,2014-04-08,10:51:09,8\n", None),
        ("s,d,t,i\n1,20140407,39069,7\n2,20140408,39069,8\n", "session=s,date=d,time=t,item=i"),
        ("s,d,t,i\n1,2014-04-07,12:51:09+02,7\n2,2014-04-08,0:00,8\n", "session=s,date=d,time=t,item=i"),
    ],
)
def test_date_and_time_in_two_columns(text: Build, content: str, columns: str | None) -> None:
    assert read(text(content), columns).clicks[TIMESTAMP][0] == FIRST


def test_a_time_of_day_beside_its_date_in_parquet(parquet: Build) -> None:
    path = parquet(
        ("session", "date", "time", "item"), date=pa.array([date(2014, 4, 7)] * 3), time=pa.array([time(10, 51, 9)] * 3)
    )
    assert read(path).clicks[TIMESTAMP][0] == FIRST


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_beyond_every_calendar_are_refused_with_their_row(unit: str, zone: str | None, parquet: Build) -> None:
    for far in (2**63 - 1, 1 - 2**63):
        path = parquet(time=pa.array([far, 0, 0], pa.int64()).cast(pa.timestamp(unit, zone)))
        assert ": row 1 has" in refused(path)


def test_a_time_since_the_date_that_no_clock_has_is_refused_with_its_row(text: Build) -> None:
    path = text("session,date,time,item\n1,2014-04-07,1e300,a\n2,2014-04-07,10,b\n")
    assert ": line 2 has '2014-04-07' and '1e300'" in refused(path)
