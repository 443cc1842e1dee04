"""Files that people have: read as a careful person would, or refused in one sentence with column, row and way out."""

import bz2
import gzip
import io
import lzma
import random
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.clicks import ClickSource, source
from pipeline.clicks.files import archives
from pipeline.clicks.source import Clicks
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError

FIRST = datetime(2014, 4, 7, 10, 51, 9, tzinfo=UTC)
TIMES = ["2014-04-07T10:51:09Z", "2014-04-07T10:52:09Z", "2014-04-07T10:53:09Z"]
GOOD = "session,time,item\n1,2014-04-07T10:51:09Z,a\n1,2014-04-07T10:52:09Z,b\n2,2014-04-07T10:53:09Z,a\n"
Build = Callable[..., Path]


def read(path: Path, columns: str | None = None, **more: Any) -> Clicks:
    return source.read_source(ClickSource(str(path), columns, **more))


def refused(path: Path, columns: str | None = None, **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(path, columns, **more)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}")


@pytest.fixture
def text(tmp_path: Path) -> Build:
    def write(content: str | bytes, name: str = "c.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def parquet(tmp_path: Path) -> Build:
    def write(names: tuple[str, ...] = ("session", "time", "item"), **columns: Any) -> Path:
        given = {"session": pa.array([1, 1, 2]), "time": pa.array(TIMES), "item": pa.array(["a", "b", "a"])} | columns
        pq.write_table(pa.Table.from_arrays([given[name] for name in names], names=list(names)), tmp_path / "c.parquet")
        return tmp_path / "c.parquet"

    return write


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


def test_a_column_that_stands_twice_is_named(parquet: Build, text: Build) -> None:
    assert "has 2 columns of the name 'item' (the 3rd and 4th)" in refused(parquet(("session", "time", "item", "item")))
    assert "the name 'item' (the 3rd and 4th)" in refused(text(GOOD.replace("item\n", "item,item \n")))
    twice = parquet(("session", "time", "item", "extra", "extra"), extra=pa.array([1, 2, 3]))
    assert read(twice).clicks.height == 3  # of what is not taken, names may stand twice


SAME_TEXT: dict[str, str | bytes] = {
    "blank last lines": GOOD + "\n\n",
    "blank lines": GOOD.replace("\n", "\n\n"),
    "blank first lines": "\n\n" + GOOD,
    "empty rows": GOOD + ",,\n , ,\n",
    "sep": "sep=,\n" + GOOD,
    "header with spaces": GOOD.replace("session,time,item", " session , time , item "),
    "quoted header": GOOD.replace("session,time,item", '"session","time","item"'),
    "values with spaces": GOOD.replace(",", " , "),
    "CR LF": GOOD.replace("\n", "\r\n"),
    "CR": GOOD.replace("\n", "\r"),
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-16 without a mark": GOOD.encode("utf-16-le"),
    "UTF-16 big": b"\xfe\xff" + GOOD.encode("utf-16-be"),
    "UTF-32": GOOD.encode("utf-32"),
    "mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "no last line end": GOOD.rstrip("\n"),
    "all quoted": "\n".join(",".join(f'"{field}"' for field in row.split(",")) for row in GOOD.splitlines()),
    "space and quote": GOOD.replace(",a", ', "a"'),
    "trailing delimiters": GOOD.replace("09Z,a", "09Z,a,"),
    "semicolons": GOOD.replace(",", ";"),
    "bars": GOOD.replace(",", "|"),
    "tabs": GOOD.replace(",", "\t"),
    "in capitals": GOOD.replace("session,time,item", "SESSION,Time,ITEM"),
    "UTC": GOOD.replace("09Z", "09 UTC").replace("T10", " 10"),
    "short offset": GOOD.replace("09Z", "09+00"),
    "offset": GOOD.replace("09Z", "09 +00:00"),
    "other offsets": GOOD.replace("10:52:09Z", "12:52:09+02:00").replace("10:53:09Z", "07:23:09-0330"),
    "comma fraction": GOOD.replace(",", ";").replace("09Z", "09,000Z"),
    "seconds": GOOD.replace(TIMES[0], "1396867869").replace(TIMES[1], "1396867929").replace(TIMES[2], "1396867989"),
    "µs": GOOD.replace(TIMES[0], "1396867869000000")
    .replace(TIMES[1], "1396867929000000")
    .replace(TIMES[2], "1396867989000000"),
    "thousands": GOOD.replace(TIMES[0], '"1,396,867,869"')
    .replace(TIMES[1], '"1,396,867,929"')
    .replace(TIMES[2], '"1,396,867,989"'),
    "digits": GOOD.replace("2014-04-07T10:5", "20140407105").replace(":09Z", "09"),
    "gzip": gzip.compress(GOOD.encode()),
    "gzip in two parts": gzip.compress(GOOD[:40].encode()) + gzip.compress(GOOD[40:].encode()),
    "bzip2": bz2.compress(GOOD.encode()),
    "xz": lzma.compress(GOOD.encode()),
    "text column": GOOD.replace("item\n", "item,title\n").replace("Z,a\n", 'Z,a,TV 12" flat\n'),
    "quoted newline": GOOD.replace("item\n", "item,title\n").replace("Z,a\n", 'Z,a,"TV ""12""\nflat"\n'),
}


@pytest.mark.parametrize("case", SAME_TEXT)
def test_one_table_written_in_many_ways(text: Build, case: str) -> None:
    found = read(text(SAME_TEXT[case])).clicks
    assert found[SESSION_ID].to_list() == [1, 1, 2]
    assert found[ITEM_ID].to_list() == ["a", "b", "a"]
    assert [t.isoformat() for t in found[TIMESTAMP]] == [t.replace("Z", "+00:00") for t in TIMES]


def zipped(*members: tuple[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()


def marked(content: bytes, flags: int, method: int) -> bytes:
    """Say of a zip's only member that it is encrypted or packed otherwise."""
    at = content.index(b"PK\x01\x02")
    return content[: at + 8] + struct.pack("<HH", flags, method) + content[at + 12 :]


@pytest.mark.parametrize(
    "members",
    [
        [("a.csv", GOOD), ("__MACOSX/._a.csv", b"\0\5\x16\7")],
        [("data/a.csv", GOOD), ("data/.DS_Store", b"\0"), ("README.md", "of a shop")],
        [("a.csv.gz", gzip.compress(GOOD.encode()))],
        [("a.zip", zipped(("a.csv", GOOD)))],
    ],
)
def test_the_one_file_of_an_archive(text: Build, members: list[tuple[str, str | bytes]]) -> None:
    assert read(text(zipped(*members), "c.zip")).clicks.height == 3


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "encrypted": (marked(zipped(("a.csv", GOOD)), 1, 8), ": a.csv is encrypted: unpack it with its password"),
    "Deflate64": (marked(zipped(("a.csv", GOOD)), 0, 9), ": a.csv is packed with Deflate64"),
    "empty archive": (zipped(), "holds 0 files"),
    "Excel": (zipped(("[Content_Types].xml", "x")), "is an Excel workbook: save the sheet as CSV"),
    "JSON lines": ('{"session": 1, "time": 1396867869, "item": "a"}\n', "is JSON: write the clicks as CSV or Parquet"),
    "7z": (b"7z\xbc\xaf\x27\x1c....", "is a 7z archive: unpack it"),
    "one time missing": (GOOD.replace(TIMES[1], ""), ": line 3 has no time in column 'time' (empty): fill it in"),
    "one number missing": (
        "session,time,item\n1,1396867869,a\n1,1396867869,b\n2,,a\n2,1396867869,b\n",
        "line 4 has no time",
    ),
    "nan time": (GOOD.replace(TIMES[1], "nan"), ": line 3 has no time in column 'time' ('nan')"),
    "NULL session": (GOOD.replace("\n2,", "\nNULL,"), ": line 4 has no session in column 'session' ('NULL')"),
    "\\N item": (GOOD.replace(",b\n", ",\\N\n"), ": line 3 has no item in column 'item' ('\\\\N')"),
    "below blank lines": (GOOD.replace("\n", "\n\n").replace(",b\n", ",\n"), ": line 5 has no item"),
    "below a quoted newline": (GOOD.replace(",a\n", ',"a\nx"\n', 1).replace(",b\n", ",\n"), ": line 4 has no item"),
    "day or month": (
        GOOD.replace("2014-04-07T", "07/04/2014 "),
        "'07/04/2014 10:51:09Z', of which day and month cannot",
    ),
    "NUL": (GOOD.replace(",b\n", ",b\0\n"), ": line 3 holds a NUL byte ('b\\x00')"),
    "Latin-1": (
        GOOD.replace(",b\n", ",é\n").encode("latin-1"),
        ": line 3 is not UTF-8 text (b'\\xe9'): save the file as UTF-8",
    ),
    "open quote": (GOOD.replace(",b\n", ',"b\n'), ': line 3 opens a field with a quote (") that nothing closes'),
    "text behind a quote": (GOOD.replace(",b\n", ',"b"c\n'), ': line 3 has text behind a closing quote (")'),
    "too many fields": (GOOD.replace(",b\n", ",b,c\n"), ": line 3 has 4 fields where the first row has 3"),
    "too few fields": (GOOD.replace(",b\n", "\n"), ": line 3 has no item in column 'item' (empty)"),
    "2^53": (GOOD.replace(",b\n", ",9007199254740993.0\n"), "went through a float"),
    "a long value": (GOOD.replace("10:52:09Z", "x" * 300_000), "(300,011 characters)"),
    "no header": (GOOD.split("\n", 1)[1], "has no header, as its first row is a click"),
    "1814": (
        GOOD.replace("2014-04-07T10:52", "1814-04-07T10:52"),
        ": line 3 has '1814-04-07T10:52:09Z' in column 'time'",
    ),
    "no such day": (GOOD.replace("07T10:52", "31T10:52"), "line 3 has '2014-04-31T10:52:09Z' in column 'time'"),
    "columns alike": (GOOD.replace("item\n", "Item,ITEM\n"), "has the columns Item and ITEM, and which to take"),
    "one row": ("session,time,item\n1,2014-04-07,a\n", "holds 1 session"),
    "only a header": ("session,time,item\n", "holds no click"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_text_that_is_refused(text: Build, case: str) -> None:
    content, expected = REFUSED[case]
    assert expected in refused(text(content)) + "|" + refused(text(content))


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


def test_columns_by_position(text: Build) -> None:
    rows = GOOD.split("\n", 1)[1].replace(",", "\t")
    assert read(text(rows), "session=1,time=2,item=3").clicks.height == 3
    taken = read(text(GOOD), "session=1,time=2,item=3")
    assert taken.clicks.height == 3
    assert "Columns are taken by their position, the first row is taken for a header." in taken.notes
    assert "session=4 is no position, as there are 3 columns" in refused(text(rows), "session=4,time=2,item=3")
    assert "add" not in (said := refused(text(rows), "session=1,time=2014-04-07T10:51:09Z,item=a"))
    assert "--columns session=1,time=2,item=3" in said


def test_names_that_are_numbers_are_names(text: Build) -> None:
    found = read(text(GOOD.replace("session,time,item", "3,2,1")), "session=3,time=2,item=1")
    assert found.clicks[ITEM_ID].to_list() == ["a", "b", "a"]


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


def test_ids_of_clicks_and_metadata_meet(text: Build, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\n214536597,A\n007,B\n\n")
    clicks = text(GOOD.replace(",a", ",214536597.0").replace(",b", ",007"))
    found = read(clicks, items=str(items))
    assert dict(found.items.select(ITEM_ID, "title").iter_rows()) == {"214536597": "A", "007": "B"}
    pl.DataFrame({"item_id": [214536597.0, None], "title": ["A", "B"]}).write_parquet(tmp_path / "items.parquet")
    assert "row 2 has no item id" in str(_error(clicks, tmp_path / "items.parquet"))
    items.write_text("item_id,title\n7,A\n7.0,B\n")
    assert "names item '7' more than once (lines 2 and 3)" in str(_error(clicks, items))


def _error(clicks: Path, items: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        read(clicks, items=str(items))
    return caught.value


def test_floats_written_to_text_are_whole_ids(text: Build) -> None:
    found = read(text("session,time,item\n1.0,1396867869,214536597.0\n2.0,1396867869,214536598.0\n"))
    assert found.clicks[ITEM_ID].to_list() == [214536597, 214536598]
    assert any("'214536597.0' are read as 214536597" in note for note in found.notes)


def test_exponents_of_a_program_are_numbers_and_a_persons_are_text(text: Build) -> None:
    found = read(text("session,time,item\n1,1396867869,1e+10\n2,1396867869,2.14536597e+08\n"))
    assert found.clicks[ITEM_ID].to_list() == [10_000_000_000, 214536597]
    kept = read(text("session,time,item\n1,1396867869,1e5\n2,1396867869,1.5e+00\n"))
    assert kept.clicks[ITEM_ID].to_list() == ["1e5", "1.5e+00"]
    assert "went through a float" in refused(text("session,time,item\n1,1396867869,1e+16\n2,1396867869,b\n"))


def test_bad_rows_are_left_out_counted_and_listed(text: Build) -> None:
    path = text(GOOD + "3,yesterday,a\n,1,2,3,4\n2,2014-04-07T10:54:09Z,\n2,2014-04-07T10:55:09Z,c\n")
    assert "line 5 has 'yesterday'" in (said := refused(path))
    assert "or leave 3 rows (lines 5, 6, 7) out with --bad-rows 3" in said
    assert "or raise --bad-rows 2, as 3 rows cannot be read" in refused(path, bad_rows=2)
    found = read(path, bad_rows=3)
    assert found.clicks[ITEM_ID].to_list() == ["a", "b", "a", "c"]
    assert found.left_out["number"].to_list() == [5, 6, 7]
    assert any(note.startswith("3 rows could not be read and were left out: line 5 has") for note in found.notes)
    assert read(text(GOOD)).left_out.is_empty()


def test_bad_rows_of_every_form_are_left_out(text: Build) -> None:
    rows = b'3,2014-04-07,\xe9\n3,2014-04-07,\0\n3,2014-04-07,"a"b\n3,2014-04-07,x,y\n2,2014-04-08,\xc3\xa9\n'
    found = read(text(GOOD.encode() + rows), bad_rows=4)
    assert found.left_out["number"].to_list() == [5, 6, 7, 8]
    assert found.clicks[ITEM_ID].to_list() == ["a", "b", "a", "é"]


def test_a_category_that_is_null_is_unknown(text: Build) -> None:
    found = read(
        text(GOOD.replace("item\n", "item,category\n").replace(",a\n", ",a,NULL\n").replace(",b\n", ",b,3.0\n"))
    )
    assert found.clicks[CATEGORY].to_list() == ["0", "3", "0"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda raw: zipped(("a.csv", raw))])
def test_what_is_packed_is_bounded_before_it_fills_the_memory(
    pack: Callable[[bytes], bytes], text: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(archives.MOST_VARIABLE, "1")
    path = text(pack(GOOD.encode() + b"1,2014-04-07T10:51:09Z,a\n" * 60_000), "c.packed")
    assert path.stat().st_size < 1_000_000
    assert "unpacks to more than 1 MB, the most that is read here" in refused(path)
    monkeypatch.setenv(archives.MOST_VARIABLE, "2")
    assert read(path).clicks.height == 60_003


def test_a_zip_that_lies_about_its_size_is_bounded_too(text: Build) -> None:
    raw = bytearray(zipped(("a.csv", b"a" * 3_000_000)))
    raw[raw.find(b"PK\1\2") + 24 : raw.find(b"PK\1\2") + 28] = struct.pack("<I", 10)
    with pytest.raises(UserError, match=r"damaged|more than"):
        archives.unpack(text(bytes(raw), "c.zip"), 1_000_000)


def test_a_plain_file_is_bounded_and_the_bound_is_a_number(text: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    path = text(GOOD)
    with pytest.raises(UserError, match="holds more than 0 MB"):
        archives.unpack(path, 10)
    monkeypatch.setenv(archives.MOST_VARIABLE, "lots")
    assert "CLICK_ROAD_MOST_MB is 'lots': set it to a whole number" in refused(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda raw: zipped(("a.csv", raw))])
def test_damage_anywhere_in_what_is_packed_is_one_sentence(pack: Callable[[bytes], bytes], text: Build) -> None:
    whole, chance = pack(GOOD.encode()), random.Random(7)
    for _ in range(60):
        raw = bytearray(whole[: chance.randrange(len(whole) // 2, len(whole) + 1)])
        for _ in range(chance.randrange(3)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        with suppress(UserError):
            read(text(bytes(raw), "c.packed"))


def test_a_zip_whose_only_file_is_called_as_a_note_is_read(text: Build) -> None:
    assert read(text(zipped(("readme_clicks.csv", GOOD)), "c.zip")).clicks.height == 3


@pytest.mark.parametrize("header", [b"session,time,item,Gr\xf6\xdfe", b"\xffsession,time,item"])
def test_a_header_that_is_not_utf8_is_no_defect(header: bytes, text: Build) -> None:
    path = text(GOOD.encode().replace(b"session,time,item", header))
    if header.startswith(b"s"):
        assert read(path).clicks.height == 3
    else:
        assert "which is the session is not clear" in refused(path)


@pytest.mark.parametrize(
    ("first", "form"),
    [
        ("", None),
        ("NULL", None),
        ("NA", None),
        ("?", None),
        ("2014-13-45", None),
        ("07.Apr.2014 10:00", "%d.%b.%Y %H:%M"),
    ],
)
def test_no_first_click_is_taken_for_a_header_by_position(first: str, form: str | None, text: Build) -> None:
    time = "08.Apr.2014 10:00" if form else TIMES[0]
    path, by = text(f"1,{first},a\n1,{time},b\n2,{time},a\n"), "session=1,time=2,item=3"
    if form:
        assert read(path, by, time_format=form).clicks.height == 3
        assert "its first row is a click" in refused(path, f"session=1,time={first},item=a", time_format=form)
    else:
        assert ": line 1 has" in refused(path, by)
        assert read(path, by, bad_rows=1).clicks.height == 2


@pytest.mark.parametrize("columns", ["session=session,time=time,item=session", "session=1,time=2,item=1"])
def test_one_column_is_not_taken_for_two(columns: str, text: Build) -> None:
    assert "takes one column for two" in refused(text(GOOD), columns)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_beyond_every_calendar_are_refused_with_their_row(unit: str, zone: str | None, parquet: Build) -> None:
    for far in (2**63 - 1, 1 - 2**63):
        path = parquet(time=pa.array([far, 0, 0], pa.int64()).cast(pa.timestamp(unit, zone)))
        assert ": row 1 has" in refused(path)


def test_numbers_of_more_than_64_bits_are_read_as_ids(parquet: Build, tmp_path: Path) -> None:
    path = parquet(item=pa.array([Decimal(7), Decimal(8), Decimal(7)], pa.decimal256(60, 2)))
    assert read(path).clicks[ITEM_ID].to_list() == [7, 8, 7]
    frame = pl.DataFrame({"session": [1, 1, 2], "time": TIMES, "item": [7, 8, 7]})
    frame.with_columns(pl.col("item").cast(pl.Int128)).write_parquet(tmp_path / "wide.parquet")
    assert read(tmp_path / "wide.parquet").clicks[ITEM_ID].to_list() == [7, 8, 7]


def test_a_time_since_the_date_that_no_clock_has_is_refused_with_its_row(text: Build) -> None:
    path = text("session,date,time,item\n1,2014-04-07,1e300,a\n2,2014-04-07,10,b\n")
    assert ": line 2 has '2014-04-07' and '1e300'" in refused(path)
