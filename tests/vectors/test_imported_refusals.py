"""Vectors of one's own: what Milvus would not take is named, or left out and counted."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest

from pipeline.core.errors import UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.search.libraries.faiss import FaissEngine
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import load_vectors
from pipeline.vectors.imported import ImportConfig, import_vectors, list_vectors
from tests.vectors.imports import NUMBERS, hdf5, import_file, npy


def _frame(**columns: object) -> Callable[[Path], None]:
    return lambda path: pl.DataFrame(columns).write_parquet(path)


def _bytes(raw: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(raw) and None  # type: ignore[func-returns-value,return-value]


def _cut(write: Callable[[Path], object], kept: int) -> Callable[[Path], None]:
    def shorten(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:kept])

    return shorten


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (npy([["x", "y"], ["z", "w"]]), "instead of numbers"),
        (npy([[1 + 2j, 1], [1, 1]]), "holds complex128 instead of numbers"),
        (npy([[True, False], [True, True]]), "holds bool instead of numbers"),
        (npy([object(), object()]), "Object arrays cannot be loaded"),
        (npy([[1.0, 2], [np.nan, 1], [np.inf, 1]]), "row 2 holds nan, which is no finite float32 (2 such rows)"),
        (npy([[1.0, 2], [3, 1], [-np.inf, 1]]), "row 3 holds -inf"),
        (npy([[1.0, 2], [1e39, 1]]), "row 2 holds 1e+39, which is no finite float32"),
        (npy([[1.0, 2]]), "holds 1 vector: give at least 2"),
        (npy(np.empty((0, 4), np.float32)), "holds 0 vectors: give at least 2"),
        (npy(np.zeros((2, 32_769), np.float32)), "32,769 dimensions: Milvus takes at most 32,768"),
        (npy([1.0, 2, 3]), "numbers of shape (3,): give one row per vector"),
        (npy(1.0), "numbers of shape (): give one row per vector"),
        (_frame(id=["a", "b"], vector=[[1.0, 2], [1.0]]), "row 2 has 1 numbers where the first has 2"),
        (_frame(id=["a", "b"], vector=[[1.0, 2], None]), "row 2 has 0 numbers where the first has 2"),
        (_frame(id=["a", "b"], vector=[[1.0, None], [1.0, 2]]), "row 1 holds nan"),
        (_frame(id=["a", "b"], vector=[[], []]), "numbers of shape (2, 0)"),
        (_frame(id=["a", "b", "a"], d0=[1.0, 2, 3]), "has the id 'a' more than once"),
        (_frame(id=["a", None], d0=[1.0, 2]), "row 2 has no id"),
        (_frame(id=["a" * 600, "b"], d0=[1.0, 2]), "has an id of 600 bytes: shorten ids to at most 512"),
        (_frame(sku=["a", "b"], d0=[1.0, 2]), "has no id column (sku, d0)"),
        (_frame(id=["a", "b"], u=[[1.0], [2.0]], v=[[1.0], [2.0]]), "several columns of lists (u, v)"),
        (_frame(id=["a", "b"], vector=[1.0, 2.0]), "column 'vector' holds Float64 in place of lists"),
        (
            _frame(id=["a", "b"], d0=[1.0, 2], title=["1", "red"]),
            "none of its columns are counted through like f0, f1, …: say which are the vector with --columns vector=…",
        ),
        (_frame(id=["a", "b"], x=[1.0, 2], y=[1.0, 2]), "say which are the vector with --columns"),
        (_frame(id=["a", "b"], f0=[1.0, 2], f2=[1.0, 2]), "say which are the vector with --columns"),
        (
            _frame(id=["a", "b"], f0=[1.0, 2], f1=[1.0, 2], g0=[1.0, 2], g1=[1.0, 2]),
            "are counted through more than once",
        ),
        (_frame(id=["a", "b"], f0=[1.0, 2], f1=[True, False]), "row 1 of column 'f1' is 'True', which is no number"),
        (_frame(id=["a", " "], d0=[1.0, 2]), "row 2 has no id"),
        (_frame(id=["a", ""], d0=[1.0, 2]), "row 2 has no id"),
        (_frame(id=[1.0, float("nan")], d0=[1.0, 2]), "row 2 has no id"),
        (_bytes(b"id,d0\n1,2\nNaN,3\n"), "row 2 has no id"),
        (_frame(id=[1.5, 2.0], d0=[1.0, 2]), "has ids that are not whole, such as 1.5"),
        (_frame(id=[True, False], d0=[1.0, 2]), "has ids of type Boolean"),
        (_frame(id=[3.0, 3.0], d0=[1.0, 2]), "has the id '3' more than once"),
        (_bytes(b"id,vector\na,[1 2]\nb,[3 x]\n"), "row 2 of column 'vector' is 'x'"),
        (_bytes(b"id,d0\na,1\nb,2,3\n"), "line 3 has 3 fields where the first row has 2"),
        (_bytes(b""), "is empty"),
        (_bytes(b"%PDF-1.4\0\0"), "is not a readable file of vectors"),
        (lambda p: np.savez(p.open("wb"), a=NUMBERS, b=NUMBERS), "holds 2 arrays (a, b)"),
        (_cut(npy(NUMBERS), 140), "damaged or cut short"),
        (_cut(lambda p: np.savez(p.open("wb"), a=NUMBERS), 200), "damaged or cut short"),
        (_cut(_frame(id=["a", "b"], d0=[1.0, 2]), 150), "damaged or cut short"),
        (_cut(hdf5, 900), "cannot be read"),
        (lambda p: h5py.File(p, "w").close(), "has no data set 'train' (it has none)"),
    ],
)
def test_what_cannot_be_indexed_is_a_sentence(
    workspace: Workspace, tmp_path: Path, write: Callable[[Path], None], expected: str
) -> None:
    write(tmp_path / "file")
    with pytest.raises(UserError) as caught:
        import_file(workspace, tmp_path / "file")
    assert expected in str(caught.value)
    assert not list_vectors(workspace)


def test_zeros_have_no_cosine_and_are_named(workspace: Workspace, tmp_path: Path) -> None:
    npy([[1.0, 2], [0, 0], [3, 4], [0, -0.0]])(tmp_path / "file")
    with pytest.raises(UserError, match=r"file: 2 of 4 vectors are all zeros \(row 2, row 4\).* by L2 or IP"):
        import_file(workspace, tmp_path / "file", metric="COSINE")
    assert import_file(workspace, tmp_path / "file", metric="L2")["items"] == 4
    with pytest.raises(UserError, match=r"The items of 'mine': 2 of 4 vectors are all zeros \('1', '3'\)"):
        build_index(workspace, IndexConfig(model="mine", metric="COSINE"), FaissEngine())


def _index_column(path: Path) -> None:
    columns = {"id": ["a", "b", "c"], **{f"f{i}": NUMBERS[:, i] for i in range(3)}}
    pd.DataFrame(columns, index=[5, 9, 7]).drop(index=9).to_parquet(path)


@pytest.mark.parametrize(
    ("write", "columns", "ids", "rows", "left_out"),
    [
        (_index_column, "", ["a", "c"], NUMBERS[[0, 2]], "__index_level_0__"),
        (_bytes(b"id,f0,f1,item_id,price\na,1,2,100,9\nb,3,4,101,8\n"), "", ["a", "b"], [[1, 2], [3, 4]],
         "item_id, price"),
        (_bytes(b"id,x10,x1,x2,x3,x4,x5,x6,x7,x8,x9\na,10,1,2,3,4,5,6,7,8,9\nb,0,0,0,0,0,0,0,0,0,1\n"), "",
         ["a", "b"], [[*range(1, 11)], [0] * 8 + [1, 0]], ""),
        (_bytes(b"sku,lat,lon\na,1,2\nb,3,4\n"), "id=sku,vector=lat,vector=lon", ["a", "b"], [[1, 2], [3, 4]], ""),
        (_bytes(b"sku,lat,lon\na,1,2\nb,3,4\n"), "id=sku, vector=l*", ["a", "b"], [[1, 2], [3, 4]], ""),
        (_bytes(b"id;emb;n\na;1 2;5\nb;[3, 4];6\n"), "vector=emb", ["a", "b"], [[1, 2], [3, 4]], "n"),
        (_frame(id=["a", "b"], u=[[1.0], [2.0]], v=[[3.0], [4.0]]), "vector=v", ["a", "b"], [[3], [4]], "u"),
        (_frame(id=[3.0, 4.0], f0=[1.0, 2], f1=[1.0, 2]), "", ["3", "4"], [[1, 1], [2, 2]], ""),
        (_bytes(b"id,f0,f1\n3.0,1,2\n4.0,3,4\n"), "", ["3", "4"], [[1, 2], [3, 4]], ""),
        (_bytes(b"id,f0,f1\n3.0,1,2\nx,3,4\n"), "", ["3.0", "x"], [[1, 2], [3, 4]], ""),
        (_bytes(b"id,f0,f1\nnan,1,2\nnull,3,4\n"), "", ["nan", "null"], [[1, 2], [3, 4]], ""),
        (_bytes(b",id,f0,f1\n7,a,1,2\n9,b,3,4\n"), "", ["a", "b"], [[1, 2], [3, 4]], "'' (without a name)"),
    ],
)  # fmt: skip
def test_what_is_no_vector_is_left_out_and_named(
    workspace: Workspace,
    tmp_path: Path,
    write: Callable[[Path], None],
    columns: str,
    ids: list[str],
    rows: list[list[float]],
    left_out: str,
) -> None:
    write(tmp_path / "file")
    done = import_vectors(workspace, "mine", ImportConfig(file=str(tmp_path / "file"), columns=columns))
    found, vectors = load_vectors(workspace, "mine", "items")
    assert found.to_list() == ids
    assert np.array_equal(vectors, np.asarray(rows, np.float32))
    note = f"Left out, as neither ids nor vectors: {left_out}; --columns takes others."
    assert done.manifest["metrics"].get("notes", []) == ([note] if left_out else [])
