"""A look into a file says what reading it would: its columns, its first rows, and which rows are bad."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipeline.clicks import preview as module
from pipeline.clicks.preview import preview
from pipeline.clicks.source import ClickSource, read_source
from pipeline.core.errors import UserError
from tests.conftest import real_file

ROWS = "".join(f"s{n // 3},2024-03-01T10:{n % 60:02}:00Z,i{n % 5},shoes\n" for n in range(90))
LOG = "session,time,item,category\n" + ROWS


def test_it_says_which_columns_are_taken_and_shows_the_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    found = preview(path)
    assert found.columns == {"session": "s0", "time": "2024-03-01T10:00:00Z", "item": "i0", "category": "shoes"}
    assert found.taken == {"session": "session", "time": "time", "item": "item", "category": "category"}
    assert found.rows.height == 8
    assert found.rows.columns == ["session", "time", "item", "category"]
    assert found.clicks is not None
    assert found.clicks.equals(read_source(ClickSource(str(path))).clicks)
    assert (found.problem, found.bad.height, found.whole) == ("", 0, True)


def test_bad_rows_are_named_as_reading_names_them(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG + "s99,yesterday,i1,shoes\n,2024-03-01,i1,shoes\n")
    found = preview(path)
    read = read_source(ClickSource(str(path), bad_rows=2))
    assert found.bad["rows"].sum() == 2
    assert found.bad.equals(read.left_out)
    assert found.clicks is not None
    assert found.clicks.equals(read.clicks)


def test_columns_that_are_not_clear_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(LOG.replace("session,time,item,category", "a,b,c,d"))
    found = preview(path)
    assert list(found.columns.items())[:2] == [("a", "s0"), ("b", "2024-03-01T10:00:00Z")]
    assert found.taken == {}
    assert "is not clear" in found.problem
    assert preview(path, "user=a,time=b,item=c").taken == {"user": "a", "time": "b", "item": "c"}


def _parquet() -> bytes:
    written = io.BytesIO()
    pl.read_csv(LOG.encode()).write_parquet(written)
    return written.getvalue()


def _zipped(content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", "what this is" * 2_000)
        archive.writestr("log", content)
    return written.getvalue()


PACKED = {
    "log.csv": (LOG.encode(), False),
    "log.csv.gz": (gzip.compress(LOG.encode()), False),
    "log.csv.bz2": (bz2.compress(LOG.encode()), False),
    "log.csv.xz": (lzma.compress(LOG.encode()), False),
    "log.zip": (_zipped(LOG.encode()), False),
    "log.zip.gz": (gzip.compress(_zipped(LOG.encode())), False),
    "twice.zip": (_zipped(gzip.compress(LOG.encode())), False),
    "utf16.csv": (LOG.encode("utf-16"), False),
    "utf16.csv.gz": (gzip.compress(LOG.encode("utf-16-be")), False),
    "utf32.csv": (LOG.encode("utf-32"), False),
    "cr.csv": (LOG.replace("\n", "\r").encode(), False),
    "log.parquet": (_parquet(), False),
    "parquet.zip": (_zipped(_parquet()), True),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_large_file_is_looked_into_at_its_beginning(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE_BYTES", 10)
    monkeypatch.setattr(module, "HEAD_BYTES", 1600)
    monkeypatch.setattr(module, "_ROWS", 20)
    content, whole = PACKED[name]
    path = tmp_path / name
    path.write_bytes(content)
    found = preview(path)
    assert (found.whole, found.problem, found.bad.height) == (whole, "", 0), "a row that is cut is not looked at"
    assert found.clicks is not None
    assert whole or 10 < found.clicks.height < 50
    asked = preview(path, "session=nothing,time=time,item=item")
    assert str(path) in asked.problem, "a problem names the file, and not its beginning"


def test_what_cannot_be_looked_into_is_told_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="There is no file"):
        preview(tmp_path / "none.csv")
    monkeypatch.setattr(module, "WHOLE_BYTES", 10)
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(LOG.encode())[:60])
    with pytest.raises(UserError, match=f"{path} is damaged"):
        preview(path)
    nothing = tmp_path / "binary.csv"
    nothing.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(UserError, match=str(nothing)):
        preview(nothing)


@pytest.mark.realdata
def test_real_clicks_without_a_header() -> None:
    found = preview(real_file("yoochoose-clicks-100k.dat.gz"))
    assert list(found.columns) == ["1", "2", "3", "4"]
    assert found.columns["4"] == "0"
    assert found.taken == {"session": "1", "time": "2", "item": "3", "category": "4"}
    assert found.clicks is not None
    assert found.clicks.height == 83_846
