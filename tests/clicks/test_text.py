"""Text that people have: read as a careful person would, or refused in one sentence with column, row and way out."""

import bz2
import gzip
import lzma
import struct

import pytest

from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from tests.clicks.written import GOOD, TIMES, Build, read, refused, zipped

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


def marked(content: bytes, flags: int, method: int) -> bytes:
    """Say of a zip's only member that it is encrypted or packed otherwise."""
    at = content.index(b"PK\x01\x02")
    return content[: at + 8] + struct.pack("<HH", flags, method) + content[at + 12 :]


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
