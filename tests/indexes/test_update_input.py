"""Files of rows that are to come to an index: read as it takes them, or refused with the row."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.clicks import ClickSource
from pipeline.core.errors import UserError
from pipeline.indexes.update_input import read_rows, read_sessions
from pipeline.search.engine import Scalar
from pipeline.store.workspace import Workspace
from tests.made.road import make_road

pytestmark = pytest.mark.milvus

KINDS: dict[str, Scalar] = {"category": "text", "popularity": "int", "price": "float"}
GOOD: dict[str, Any] = {"id": ["a", "b"], "vector": [[1.0, 2.0], [3.0, 4.0]]}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": ["a", None]}, "row 2 has id None"),
        ({"id": ["a", " "]}, "row 2 has id"),
        ({"id": ["a", "x" * 600]}, "at most 512 bytes"),
        ({"id": ["a", "a"]}, "rows 1 and 2 have the same id 'a'"),
        ({"id": [1.5, 2.5]}, "'id' is Float64"),
        ({"vector": [[1.0, 2.0], [3.0]]}, "row 2 has a vector of 1, and the index has 2 dimensions"),
        ({"vector": [[1.0, 2.0], None]}, "row 2 has vector None"),
        ({"vector": [[1.0, None], [3.0, 4.0]]}, "row 1 holds nan"),
        ({"vector": [[1.0, 2.0], [3.0, float("nan")]]}, "row 2 holds nan"),
        ({"vector": [[1.0, 2.0], [3.0, 1e300]]}, r"row 2 holds 1e\+300, which is no finite float32"),
        ({"vector": [["x", "y"], ["x", "y"]]}, "it takes a list of 2 numbers"),
        ({"vector": [1.0, 2.0]}, "it takes a list of 2 numbers"),
        ({"price": [1.0, None]}, "row 2 has price None"),
        ({"price": [1.0, float("inf")]}, "row 2 has price inf"),
        ({"price": ["1", "2"]}, "'price' is String, and the index takes a number"),
        ({"popularity": [1.5, 2.0]}, "takes a whole number"),
        ({"popularity": [1, 2**64 - 1]}, "row 2 has popularity 18446744073709551615"),
        ({"category": [None, "a"]}, "row 1 has category None"),
        ({"prices": [1.0, 2.0]}, "has a column 'prices' that the index has not.* Did you mean price?"),
        ({"vector": None}, "has no column 'vector'"),
    ],
)
def test_a_bad_file_is_a_sentence_that_names_the_row(tmp_path: Path, columns: dict[str, Any], expected: str) -> None:
    table = pl.DataFrame({k: v for k, v in (GOOD | columns).items() if v is not None})
    table.write_parquet(tmp_path / "bad.parquet")
    with pytest.raises(UserError, match=expected):
        read_rows(tmp_path / "bad.parquet", 2, KINDS)


def test_a_file_of_nothing_or_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        read_rows(tmp_path / "none.parquet", 2, KINDS)
    (tmp_path / "text.parquet").write_text("id,vector")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_rows(tmp_path / "text.parquet", 2, KINDS)
    pl.DataFrame(GOOD).clear().write_parquet(tmp_path / "empty.parquet")
    with pytest.raises(UserError, match="holds no row"):
        read_rows(tmp_path / "empty.parquet", 2, KINDS)


def test_a_good_file_is_read_as_the_index_takes_it(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": [5, 6], "vector": GOOD["vector"], "price": [1, 2], "popularity": [3, 4]})
    table.write_parquet(tmp_path / "good.parquet")
    ids, vectors, given = read_rows(tmp_path / "good.parquet", 2, KINDS)
    assert ids == ["5", "6"]
    assert vectors.tolist() == GOOD["vector"]
    assert given.schema == {"popularity": pl.Int64, "price": pl.Float64}


def test_a_log_of_one_session_will_do(served: Workspace, tmp_path: Path) -> None:
    make_road(served)
    (tmp_path / "one.csv").write_text("session,time,item\n1,2024-01-01,i1\n")
    ids, vectors, left_out = read_sessions(served, "session", ClickSource(str(tmp_path / "one.csv")))
    assert (ids, vectors.shape, left_out["skipped"]) == (["1"], (1, 16), 0)
