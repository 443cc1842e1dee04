"""What cannot be read ends in one sentence: the value, the rule, the way out."""

import gzip
import zipfile
from pathlib import Path

import pytest

from pipeline.clicks import ClickSource, source
from pipeline.core.errors import UserError

ROWS = "1,2014-04-07T10:51:09.277Z,214536502,0\n2,2014-04-07T10:54:09.868Z,214536500,0\n"
GOOD = "session,time,item\n1,2014-04-07T10:51:09Z,a\n1,2014-04-07T10:52:09Z,b\n2,2014-04-07T10:53:09Z,a\n"

CASES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty (0 bytes)"),
    "blank": (b"\n\n", "holds nothing"),
    "binary": (bytes(range(256)) * 40, "is a binary file"),
    "truncated gzip": (gzip.compress(ROWS.encode() * 1000)[:-20], "is damaged or cut short"),
    "truncated zip": (b"PK\x03\x04 not a zip", "is damaged or cut short"),
    "damaged parquet": (b"PAR1 nothing more", "is a damaged Parquet file"),
    "one field": (b"session\n1\n2\n", "has one field"),
    "wrong delimiter": (GOOD.replace(",", ":").encode(), "has one field"),
    "unclear columns": (b"a,b,c\n1,2,3\n", "which is the session is not clear"),
    "unparsable time": (
        GOOD.replace("2014-04-07T10:52:09Z", "yesterday").encode(),
        "line 3 has 'yesterday' in column 'time', which cannot be read as a time",
    ),
    "time far off": (GOOD.replace("2014-04-07T10:52:09Z", "1814-04-07T10:52:09Z").encode(), "between 1990 and 2100"),
    "null item": (GOOD.replace("10:52:09Z,b", "10:52:09Z,").encode(), "line 3 has no item in column 'item' (empty)"),
    "null session": (GOOD.replace("\n2,", "\n,").encode(), "line 4 has no session in column 'session' (empty)"),
    "one session": (GOOD.replace("\n2,", "\n1,").encode(), "holds 1 session: to learn and to test takes at least 2"),
    "another number of fields": (
        (GOOD + "3,2014-04-07T10:53:09Z,a,b,c\n").encode(),
        "line 5 has 5 fields where the first row has 3",
    ),
    "not utf-8": (GOOD.replace("09Z,b", "09Z,\xe9").encode("latin-1"), "line 3 is not UTF-8"),
    "only a header": (b"session,time,item\n", "holds no click"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_one_sentence(tmp_path: Path, case: str) -> None:
    raw, expected = CASES[case]
    path = tmp_path / "clicks.csv"
    path.write_bytes(raw)
    with pytest.raises(UserError) as caught:
        source.source_digest(ClickSource(str(path)))
        source.read_source(ClickSource(str(path)))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("clicks", "expected"),
    [
        ("nowhere.csv", "There is no file nowhere.csv"),
        ("yoochoose", "is not fetched: `data fetch yoochoose` gets it, a file yoochoose-clicks.dat put into"),
        ("eshopp", "Did you mean eshop or shop?"),
        ("/tmp", "is a folder"),
        ("synthetic:1", "is not synthetic:SESSIONS"),
        ("synthetic:many", "is not synthetic:SESSIONS"),
        ("synthetic:-5", "is not synthetic:SESSIONS"),
        ("synthetic:99999999999", "is not synthetic:SESSIONS"),
    ],
)
def test_a_bad_name_is_one_sentence(
    clicks: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICK_ROAD_DATA", str(tmp_path))
    with pytest.raises(UserError) as caught:
        source.source_digest(ClickSource(clicks))
        source.read_source(ClickSource(clicks))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("session=session,time=time", "does not say which column is the item"),
        ("session=session,time=time,item=itme", "has no column 'itme'"),
        ("session", "is not one of session=…"),
        ("visit=session", "is not one of session=…"),
    ],
)
def test_bad_columns_are_one_sentence(tmp_path: Path, columns: str, expected: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(GOOD)
    with pytest.raises(UserError) as caught:
        source.read_source(ClickSource(str(path), columns))
    assert expected in str(caught.value)


def test_an_archive_of_many_files_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    with pytest.raises(UserError, match="holds 2 files"):
        source.read_source(ClickSource(str(path)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("colour,name\nx,y\n", "has no item id"), ("item_id,name\na,x\na,y\n", "names item 'a' more than once")],
)
def test_bad_item_metadata(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "c.csv").write_text(GOOD)
    (tmp_path / "i.csv").write_text(text)
    with pytest.raises(UserError, match=expected):
        source.read_source(ClickSource(str(tmp_path / "c.csv"), items=str(tmp_path / "i.csv")))


def test_unreadable_for_us(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(GOOD)
    path.chmod(0)
    try:
        path.read_bytes()
        pytest.skip("this user may read every file")
    except PermissionError:
        pass
    with pytest.raises(UserError, match="permissions"):
        source.read_source(ClickSource(str(path)))
