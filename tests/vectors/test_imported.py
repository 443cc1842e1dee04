"""Vectors of one's own: every format gives the same ones, what Milvus would not take is named, and they are indexed."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest

from pipeline.core.errors import UserError
from pipeline.core.workspace import Workspace
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.search.embedded import server
from pipeline.search.libraries.faiss import FaissEngine
from pipeline.vectors import imported
from pipeline.vectors.embed import load_vectors
from pipeline.vectors.imported import BroughtConfig, import_vectors, list_vectors
from tests.conftest import cli

IDS = ["a", "b", "c"]
NUMBERS = np.array([[0.5, 1, 2], [3, 4.25, 5], [-6, 7, 8]], np.float32)


def _lists(path: Path, dtype: object) -> None:
    pl.DataFrame({"item_id": IDS, "embedding": pl.Series(NUMBERS.tolist(), dtype=dtype)}).write_parquet(path)  # type: ignore[arg-type]


def _wide(path: Path) -> pl.DataFrame:
    return pl.DataFrame({"id": IDS, **{f"d{i}": NUMBERS[:, i] for i in range(3)}})


def _text(path: Path) -> None:
    path.write_text("id;vector\n" + "".join(f"{i};{v.tolist()}\n" for i, v in zip(IDS, NUMBERS, strict=True)))


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["train"], file["test"] = NUMBERS, NUMBERS[:1]
        file.attrs["distance"] = "angular"


def _import(workspace: Workspace, path: Path, name: str = "mine", metric: str = "") -> dict[str, object]:
    return dict(import_vectors(workspace, name, BroughtConfig(str(path), metric)).manifest["metrics"])


@pytest.mark.parametrize(
    ("write", "ids", "metric"),
    [
        (lambda p: np.save(p.open("wb"), NUMBERS.astype(">f8")), ["0", "1", "2"], "IP"),
        (lambda p: np.savez_compressed(p.open("wb"), anything=NUMBERS), ["0", "1", "2"], "IP"),
        (lambda p: _lists(p, pl.List(pl.Float64)), IDS, "IP"),
        (lambda p: _lists(p, pl.Array(pl.Float32, 3)), IDS, "IP"),
        (lambda p: _wide(p).write_parquet(p), IDS, "IP"),
        (lambda p: _wide(p).write_csv(p), IDS, "IP"),
        (_text, IDS, "IP"),
        (_hdf5, ["0", "1", "2"], "COSINE"),
    ],
    ids=["npy", "npz", "list", "array", "columns", "csv columns", "csv text", "hdf5"],
)
def test_every_format_gives_the_same_vectors(
    workspace: Workspace, tmp_path: Path, write: Callable[[Path], None], ids: list[str], metric: str
) -> None:
    write(tmp_path / "file")
    assert _import(workspace, tmp_path / "file") == {"items": 3, "dim": 3, "metric": metric, "brought": "file"}
    found, vectors = load_vectors(workspace, "mine", "items")
    assert found.to_list() == ids
    assert np.array_equal(vectors, NUMBERS)


def _npy(numbers: object) -> Callable[[Path], None]:
    return lambda path: np.save(path.open("wb"), np.asarray(numbers), allow_pickle=True)


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
        (_npy([["x", "y"], ["z", "w"]]), "instead of numbers"),
        (_npy([[1 + 2j, 1], [1, 1]]), "holds complex128 instead of numbers"),
        (_npy([[True, False], [True, True]]), "holds bool instead of numbers"),
        (_npy([object(), object()]), "Object arrays cannot be loaded"),
        (_npy([[1.0, 2], [np.nan, 1], [np.inf, 1]]), "row 2 holds nan, which is no finite float32 (2 such rows)"),
        (_npy([[1.0, 2], [3, 1], [-np.inf, 1]]), "row 3 holds -inf"),
        (_npy([[1.0, 2], [1e39, 1]]), "row 2 holds 1e+39, which is no finite float32"),
        (_npy([[1.0, 2]]), "holds 1 vector: give at least 2"),
        (_npy(np.empty((0, 4), np.float32)), "holds 0 vectors: give at least 2"),
        (_npy(np.zeros((2, 32_769), np.float32)), "32,769 dimensions: Milvus takes at most 32,768"),
        (_npy([1.0, 2, 3]), "numbers of shape (3,): give one row per vector"),
        (_npy(1.0), "numbers of shape (): give one row per vector"),
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
        (_cut(_npy(NUMBERS), 140), "damaged or cut short"),
        (_cut(lambda p: np.savez(p.open("wb"), a=NUMBERS), 200), "damaged or cut short"),
        (_cut(_frame(id=["a", "b"], d0=[1.0, 2]), 150), "damaged or cut short"),
        (_cut(_hdf5, 900), "cannot be read"),
        (lambda p: h5py.File(p, "w").close(), "has no data set 'train' (it has none)"),
    ],
)
def test_what_cannot_be_indexed_is_a_sentence(
    workspace: Workspace, tmp_path: Path, write: Callable[[Path], None], expected: str
) -> None:
    write(tmp_path / "file")
    with pytest.raises(UserError) as caught:
        _import(workspace, tmp_path / "file")
    assert expected in str(caught.value)
    assert not list_vectors(workspace)


def test_zeros_have_no_cosine_and_are_named(workspace: Workspace, tmp_path: Path) -> None:
    _npy([[1.0, 2], [0, 0], [3, 4], [0, -0.0]])(tmp_path / "file")
    with pytest.raises(UserError, match=r"file: 2 of 4 vectors are all zeros \(row 2, row 4\).* by L2 or IP"):
        _import(workspace, tmp_path / "file", metric="COSINE")
    assert _import(workspace, tmp_path / "file", metric="L2")["items"] == 4
    with pytest.raises(UserError, match=r"The items of 'mine': 2 of 4 vectors are all zeros \('1', '3'\)"):
        build_index(workspace, IndexConfig(model="mine", metric="COSINE"), FaissEngine())


@pytest.mark.parametrize("name", ["hamming", "jaccard", np.bytes_("hamming")])
def test_a_distance_that_nothing_here_measures_is_refused(workspace: Workspace, tmp_path: Path, name: object) -> None:
    _hdf5(tmp_path / "file")
    with h5py.File(tmp_path / "file", "a") as file:
        file.attrs["distance"] = name
    with pytest.raises(UserError, match="compares by '(hamming|jaccard)', and vectors are compared by IP, L2, COSINE"):
        _import(workspace, tmp_path / "file")
    assert _import(workspace, tmp_path / "file", metric="L2")["metric"] == "L2"


def test_the_distance_may_be_written_as_bytes(workspace: Workspace, tmp_path: Path) -> None:
    _hdf5(tmp_path / "file")
    with h5py.File(tmp_path / "file", "a") as file:
        file.attrs["distance"] = np.bytes_("euclidean")
    assert _import(workspace, tmp_path / "file")["metric"] == "L2"


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
    done = import_vectors(workspace, "mine", BroughtConfig(str(tmp_path / "file"), columns=columns))
    found, vectors = load_vectors(workspace, "mine", "items")
    assert found.to_list() == ids
    assert np.array_equal(vectors, np.asarray(rows, np.float32))
    note = f"Left out, as neither ids nor vectors: {left_out}; --columns takes others."
    assert done.manifest["metrics"].get("notes", []) == ([note] if left_out else [])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("vector=z*", "has no column 'z*': it has id, f0, f1"),
        ("id=f*,vector=f0", "has 2 columns 'f*'"),
        ("item=id", "'item=id' is neither id=… nor vector=…"),
        ("f0", "'f0' is neither id=… nor vector=…"),
        ("id=f0,vector=f0", "takes 'f0' for the id and for the vector"),
    ],
)
def test_columns_that_cannot_be_taken_are_named(
    workspace: Workspace, tmp_path: Path, columns: str, expected: str
) -> None:
    (tmp_path / "v.csv").write_text("id,f0,f1\na,1,2\nb,3,4\n")
    with pytest.raises(UserError) as caught:
        import_vectors(workspace, "mine", BroughtConfig(str(tmp_path / "v.csv"), columns=columns))
    assert expected in str(caught.value)


def test_an_array_has_no_columns(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", NUMBERS)
    with pytest.raises(UserError, match="has no columns to choose from: leave --columns out"):
        import_vectors(workspace, "mine", BroughtConfig(str(tmp_path / "v.npy"), columns="vector=x"))


@pytest.mark.parametrize(
    ("name", "metric", "expected"),
    [
        ("session", "", "'session' is a model"),
        ("Glove-100 d", "", "up to 30 of a to z, 0 to 9 and underscores, such as 'glove_100_d'"),
        ("../x", "", "cannot name vectors"),
        ("", "", "such as 'mine'"),
        ("mine", "HAMMING", "There is no metric 'HAMMING': choose IP, L2, COSINE"),
    ],
)
def test_names_and_metrics_are_checked(
    workspace: Workspace, tmp_path: Path, name: str, metric: str, expected: str
) -> None:
    _npy(NUMBERS)(tmp_path / "file")
    with pytest.raises(UserError, match="There is no file"):
        _import(workspace, tmp_path / "none")
    with pytest.raises(UserError) as caught:
        _import(workspace, tmp_path / "file", name, metric)
    assert expected in str(caught.value)


def test_they_hold_no_sessions_and_say_how_they_are_made(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `vectors import FILE --name mine`"):
        load_vectors(workspace, "mine", "items")
    _npy(NUMBERS)(tmp_path / "file")
    _import(workspace, tmp_path / "file", metric="L2")
    with pytest.raises(UserError, match="'mine' was brought as a file, which holds items and no sessions"):
        load_vectors(workspace, "mine", "sessions")
    assert imported.default_metric(workspace, "mine") == "L2"
    assert imported.default_metric(workspace, "session") == "IP"


def test_the_same_file_is_read_once_and_a_changed_one_again(workspace: Workspace, tmp_path: Path) -> None:
    config = BroughtConfig(str(tmp_path / "file"))
    _npy(NUMBERS)(tmp_path / "file")
    assert not import_vectors(workspace, "mine", config).skipped
    assert import_vectors(workspace, "mine", config).skipped
    _npy(NUMBERS + 1)(tmp_path / "file")
    assert not import_vectors(workspace, "mine", config).skipped


@pytest.mark.milvus
def test_the_command_line_indexes_them(workspace: Workspace, tmp_path: Path, points: np.ndarray) -> None:
    """Neighbours by Milvus are those of numpy, under the file's own ids and the metric that was imported."""
    ids = [f"sku-{row * 7}" for row in range(len(points))]
    pl.DataFrame({"id": ids, "vector": points.tolist()}).write_parquet(tmp_path / "own.parquet")
    root = workspace.root
    code, answer = cli(root, "vectors", "import", str(tmp_path / "own.parquet"), "--name", "mine", "--metric", "l2")
    assert (code, answer["metrics"]["items"]) == (0, len(points))
    assert cli(root, "vectors", "list")[1]["vectors"][0]["from"] == "own.parquet"
    assert "6,000 vectors of your own" in [s["figure"] for s in cli(root, "status")[1]["stages"]]
    with server.connect(workspace, "test") as engine:
        code, answer = cli(root, "index", "build", "--model", "mine", "--index", "HNSW")
        assert code == 0, answer
        assert (answer["metrics"]["metric"], answer["metrics"]["indexed_rows"]) == ("L2", len(points))
        assert answer["metrics"]["recall@10"] > 0.95
        assert cli(root, "index", "list")[1]["indexes"][0]["rows"] == len(points)
        collection = answer["metrics"]["collection"]
        found = engine.search(collection, points[:1], 5, {"ef": 200}).ids[0]
        rows = engine.rows(collection, f"id in {found.tolist()}", ["source_id"], 5)
        exact = np.argsort(((points - points[0]) ** 2).sum(1))[:5]
        assert {row["source_id"] for row in rows} == {ids[i] for i in exact}
        code, answer = cli(root, "index", "build", "--model", "mine", "--vectors", "sessions")
        assert code == 2
        assert "holds items and no sessions" in answer["error"]
