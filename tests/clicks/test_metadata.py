"""What is known of items: CSV is typed as a careful reader would, and takes no name of the product's own."""

import math
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clicks import ClickSource
from pipeline.clicks.files.reader import read_items
from pipeline.clicks.ingest import ingest
from pipeline.clicks.metadata import typed, usable_metadata
from pipeline.clicks.source import Clicks, read_source
from pipeline.core.columns import RESERVED
from pipeline.core.errors import UserError
from pipeline.sessions.preprocess import catalogue
from pipeline.sessions.vocabulary import Vocabulary
from pipeline.store.workspace import Workspace

CLICKS = "session,time,item\n" + "".join(f"{s},2024-01-0{s},i{i}\n" for s in (1, 2, 3) for i in range(3))


def _read(tmp_path: Path, items: Path) -> Clicks:
    (tmp_path / "clicks.csv").write_text(CLICKS)
    return read_source(ClickSource(str(tmp_path / "clicks.csv"), items=str(items)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-20", ""], [1, -20, None]),
        (["25.00", "1", " .5 "], [25.0, 1.0, 0.5]),
        (["1e-05", "-3.5E+3", "nan"], [1e-05, -3500.0, None]),
        (["TRUE", "false", " "], [True, False, None]),
        (["1", "N/A", "null"], [1, None, None]),
        (["007", "12", "3"], ["007", "12", "3"]),
        (["00.5", "1.5", "2"], ["00.5", "1.5", "2"]),
        (["12E4", "13", "14"], ["12E4", "13", "14"]),
        (["+1", "2", "3"], ["+1", "2", "3"]),
        (["9" * 19, "2", "3"], ["9" * 19, "2", "3"]),
        (["12,50", "1", "2"], ["12,50", "1", "2"]),
        (["None", "Acme", ""], ["None", "Acme", None]),
        (["nan", "NA", ""], ["nan", "NA", None]),
        (["0", "1", "0"], [0, 1, 0]),
        ([" red", "blue", None], [" red", "blue", None]),
    ],
)
def test_a_column_of_text_is_typed_where_every_value_fits(values: list[str], expected: list[object]) -> None:
    found = typed(pl.DataFrame({"item_id": ["1", "2", "3"], "x": values}))
    assert found["x"].to_list() == expected
    assert [type(v) for v in found["x"]] == [type(v) for v in expected]
    assert found["item_id"].to_list() == ["1", "2", "3"]


@pytest.mark.parametrize("name", ["category", "brand_id", "Brand ID", "brandId", "EAN", "zip"])
def test_what_names_something_stays_text(name: str) -> None:
    assert typed(pl.DataFrame({"item_id": ["a", "b"], name: ["1", "2"]}))[name].to_list() == ["1", "2"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.none() | st.integers(-(10**17), 10**17), min_size=1, max_size=8),
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=8),
    st.lists(st.none() | st.booleans(), min_size=1, max_size=8),
)
def test_what_polars_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    whole: list[int | None],
    decimal: list[float | None],
    yes: list[bool | None],
) -> None:
    for values, dtype in ((whole, pl.Int64), (decimal, pl.Float64), (yes, pl.Boolean)):
        table = pl.DataFrame({"item_id": [f"i{n}" for n in range(len(values))], "x": pl.Series(values, dtype=dtype)})
        path = tmp_path_factory.mktemp("items") / "items.csv"
        table.write_csv(path)
        found = read_items(path)["x"].to_list()
        assert found == (values if any(v is not None for v in values) else [None] * len(values))


def test_csv_is_read_as_parquet_is(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"item_id": ["i0", "i1", "i2"], "price": [25.0, None, 39.5], "stock": [3, 0, None], "new": [True, None, False]}
    )
    table.write_csv(tmp_path / "items.csv")
    table.write_parquet(tmp_path / "items.parquet")
    csv, parquet = (_read(tmp_path, tmp_path / f"items.{kind}").items for kind in ("csv", "parquet"))
    assert csv.equals(parquet)
    assert csv.schema == parquet.schema


def test_a_column_of_parquet_keeps_its_type(tmp_path: Path) -> None:
    pl.DataFrame({"item_id": ["i0"], "zone": ["12345"]}).write_parquet(tmp_path / "items.parquet")
    assert read_items(tmp_path / "items.parquet")["zone"].to_list() == ["12345"]


def test_what_no_card_can_show_is_left_out_and_said() -> None:
    found, notes = usable_metadata(
        pl.DataFrame(
            {
                "item_id": ["a", "b"],
                "price": [Decimal("25.00"), None],
                "nan": [math.nan, -math.inf],
                "day": [date(2024, 1, 1), None],
                "tags": [["x"], None],
                "size": [{"w": 1}, None],
                "blob": [b"\x01", None],
                "kind": pl.Series(["x", None], dtype=pl.Categorical),
                "nothing": [None, None],
            }
        )
    )
    assert found.to_dicts() == [
        {"item_id": "a", "price": 25.0, "nan": None, "day": date(2024, 1, 1), "kind": "x", "nothing": None},
        {"item_id": "b", "price": None, "nan": None, "day": None, "kind": None, "nothing": None},
    ]
    assert [note.split(" is ")[0] for note in notes] == ["Metadata 'tags'", "Metadata 'size'", "Metadata 'blob'"]


def test_every_name_of_the_products_own_is_given_another_and_said(tmp_path: Path) -> None:
    ours = sorted(RESERVED - {"item_id", "category"})
    others = {name: [7000 + i, 7001 + i, None] for i, name in enumerate(ours)}
    table = pl.DataFrame({"item_id": ["i0", "i1", "i2"], "category": ["a", "b", "c"], "meta_rank": [1, 2, 3], **others})
    table.write_parquet(tmp_path / "items.parquet")
    found = _read(tmp_path, tmp_path / "items.parquet")
    assert found.items["clicks"].to_list() == [3, 3, 3]
    assert found.items["category"].to_list() == ["a", "b", "c"]
    assert set(found.items.columns) & RESERVED == {"item_id", "category", "clicks"}
    assert found.items["meta_rank"].to_list() == [1, 2, 3]
    assert found.items["meta_meta_rank"].to_list() == table["rank"].to_list()
    for name in ours:
        assert any(note.startswith(f"Metadata '{name}' is called 'meta_") for note in found.notes), name


def test_the_catalogue_counts_clicks_by_itself(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"item_id": ["i0", "i1"], "train_clicks": [99, 98], "item_idx": [7, 7], "category_idx": [8, 8]}
    )
    table.write_parquet(tmp_path / "items.parquet")
    found = _read(tmp_path, tmp_path / "items.parquet")
    rows = found.clicks.head(5).join(found.items.with_row_index("row"), on="item_id", maintain_order="left")["row"]
    made = catalogue(Vocabulary.of(found.items, rows.to_numpy()), found.items)
    assert dict(made.select("item_id", "train_clicks").iter_rows()) == {"i0": 2, "i1": 2, "i2": 1}
    assert made["item_idx"].to_list() == [3, 4, 5]
    assert made["category_idx"].to_list() == [3, 3, 3]


@pytest.mark.parametrize(("column", "what"), [("item", "item"), ("session", "session"), ("category", "category")])
def test_what_no_index_could_keep_is_refused_at_once(
    workspace: Workspace, tmp_path: Path, column: str, what: str
) -> None:
    rows = [{"session": f"s{n // 2}", "time": f"2024-01-0{n + 1}", "item": f"i{n}", "category": "c"} for n in range(4)]
    rows[2][column] = "é" * 257
    pl.DataFrame(rows).write_csv(tmp_path / "clicks.csv")
    with pytest.raises(UserError, match=f"The {what} 'é+…é+' has 514 bytes, and an index keeps at most 512"):
        ingest(workspace, ClickSource(str(tmp_path / "clicks.csv")))
    rows[2][column] = "é" * 256
    pl.DataFrame(rows).write_csv(tmp_path / "clicks.csv")
    ingest(workspace, ClickSource(str(tmp_path / "clicks.csv")))
