"""Which column is which: by name, by position, and where that cannot be told."""

import pyarrow as pa
import pytest

from pipeline.core.columns import ITEM_ID
from tests.clicks.written import GOOD, TIMES, Build, read, refused


def test_a_column_that_stands_twice_is_named(parquet: Build, text: Build) -> None:
    assert "has 2 columns of the name 'item' (the 3rd and 4th)" in refused(parquet(("session", "time", "item", "item")))
    assert "the name 'item' (the 3rd and 4th)" in refused(text(GOOD.replace("item\n", "item,item \n")))
    twice = parquet(("session", "time", "item", "extra", "extra"), extra=pa.array([1, 2, 3]))
    assert read(twice).clicks.height == 3  # of what is not taken, names may stand twice


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
