"""Ids meet, however files write them: as numbers, as floats, as text."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from pipeline.core.columns import ITEM_ID
from pipeline.core.errors import UserError
from tests.clicks.written import GOOD, TIMES, Build, read, refused


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


def test_numbers_of_more_than_64_bits_are_read_as_ids(parquet: Build, tmp_path: Path) -> None:
    path = parquet(item=pa.array([Decimal(7), Decimal(8), Decimal(7)], pa.decimal256(60, 2)))
    assert read(path).clicks[ITEM_ID].to_list() == [7, 8, 7]
    frame = pl.DataFrame({"session": [1, 1, 2], "time": TIMES, "item": [7, 8, 7]})
    frame.with_columns(pl.col("item").cast(pl.Int128)).write_parquet(tmp_path / "wide.parquet")
    assert read(tmp_path / "wide.parquet").clicks[ITEM_ID].to_list() == [7, 8, 7]
