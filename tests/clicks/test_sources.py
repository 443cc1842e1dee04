"""Every way to bring clicks ends in the same canonical table."""

import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from pipeline.clicks import ClickSource, source
from pipeline.clicks.source import Clicks
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP

RAW = """1,2014-04-07T10:51:09.277Z,214536502,0
1,2014-04-07T10:54:09.868Z,214536500,S
2,2014-04-07T13:56:37.614Z,214662742,3
"""
NAMED = "sid,ts,sku,kind\n1,2014-04-07 10:51:09,a,x\n1,2014-04-07 10:54:09,b,\n2,2014-04-07 13:56:37,a,y\n"
COLUMNS = "session=sid,time=ts,item=sku,category=kind"


def _read(path: Path | str, columns: str | None = None, items: Path | None = None) -> Clicks:
    return source.read_source(ClickSource(str(path), columns, str(items) if items else None))


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", ["dat", "csv", "gz", "zip"])
def test_yoochoose_raw_in_every_wrapping(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clicks.{kind}"
    if kind == "gz":
        path.write_bytes(gzip.compress(RAW.encode()))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("clicks.dat", RAW)
    else:
        path.write_text(RAW)
    found = _read(path).clicks
    assert found.schema[ITEM_ID] == pl.Int64
    assert found[SESSION_ID].to_list() == [1, 1, 2]
    assert found[CATEGORY].to_list() == ["0", "S", "3"]
    assert found[TIMESTAMP][0] == datetime(2014, 4, 7, 10, 51, 9, 277000, tzinfo=UTC)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_named_columns_with_every_delimiter(tmp_path: Path, delimiter: str) -> None:
    found = _read(_write(tmp_path / "c.txt", NAMED.replace(",", delimiter)), COLUMNS)
    assert found.clicks[ITEM_ID].to_list() == ["a", "b", "a"]
    assert found.clicks[CATEGORY].to_list()[1] == "0"
    assert "UTC is assumed" in " ".join(found.notes)


def test_parquet_without_category(tmp_path: Path) -> None:
    pl.DataFrame({"session_id": [1, 1, 2], "timestamp": [1, 2, 3], "item_id": [7, 8, 7]}).with_columns(
        pl.col("timestamp") + 1_400_000_000
    ).write_parquet(tmp_path / "c.parquet")
    found = _read(tmp_path / "c.parquet")
    assert found.clicks[CATEGORY].to_list() == ["0", "0", "0"]
    assert "Columns taken" in found.notes[0]


@pytest.mark.parametrize(
    "time",
    [
        "2014-04-07T10:51:09Z",
        "2014-04-07T12:51:09+02:00",
        "2014-04-07 10:51:09",
        "2014-04-07T10:51:09.000",
        "1396867869",
        "1396867869000",
    ],
)
def test_one_moment_written_in_many_ways(tmp_path: Path, time: str) -> None:
    text = f"session,time,item\n1,{time},a\n2,{time},b\n"
    found = _read(_write(tmp_path / "c.csv", text)).clicks
    assert found[TIMESTAMP][0] == datetime(2014, 4, 7, 10, 51, 9, tzinfo=UTC)


def test_text_ids_keep_their_zeros(tmp_path: Path) -> None:
    found = _read(_write(tmp_path / "c.csv", "session,time,item\n1,2014-04-07,007\n2,2014-04-08,8\n")).clicks
    assert found[ITEM_ID].to_list() == ["007", "8"]


def test_clicks_are_sorted_within_their_session(tmp_path: Path) -> None:
    text = "session,time,item\n2,2014-04-08,a\n1,2014-04-07T02:00,b\n1,2014-04-07T01:00,c\n"
    assert _read(_write(tmp_path / "c.csv", text)).clicks[ITEM_ID].to_list() == ["c", "b", "a"]


def test_item_metadata_is_joined_by_id(tmp_path: Path) -> None:
    items = _write(tmp_path / "i.csv", "item_id,name,price,image_url\na,Lamp,12.5,https://x.test/a.png\nz,Vase,1,\n")
    found = _read(_write(tmp_path / "c.csv", NAMED), COLUMNS, items)
    assert dict(found.items.select(ITEM_ID, "name").iter_rows()) == {"a": "Lamp", "b": None}
    assert "1 of 2 items have metadata." in found.notes


@pytest.mark.realdata
def test_the_real_eshop_file(eshop_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICK_ROAD_DATA", str(eshop_file.parent))
    found = _read("eshop")
    assert found.clicks.height == 165_474
    assert found.clicks[SESSION_ID].n_unique() == 24_026
    assert found.items.height == 217
    assert {"name", "colour", "price", "photo", "location", "page"} <= set(found.items.columns)
    first = found.clicks.row(0, named=True)
    assert first[TIMESTAMP].hour == 0
    assert first[TIMESTAMP].minute == 1  # its day at 00:00 UTC plus its order in minutes


@pytest.mark.realdata
def test_the_real_yoochoose_file(yoochoose: Path) -> None:
    found = _read(yoochoose)
    assert found.clicks.height == 83_846
    assert found.clicks.schema[ITEM_ID] == pl.Int64
    assert found.clicks[TIMESTAMP].dt.year().unique().to_list() == [2014]


def test_a_changed_file_changes_the_digest(tmp_path: Path) -> None:
    path = _write(tmp_path / "c.dat", RAW)
    before = source.source_digest(ClickSource(str(path)))
    _write(path, RAW.replace("214536500", "214536501"))
    assert source.source_digest(ClickSource(str(path))) != before
