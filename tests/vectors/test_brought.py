"""Vectors of one's own: every format gives the same ones, what Milvus would not take is named, and they are indexed."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from pipeline import brought
from pipeline.brought import BroughtConfig, import_vectors, list_vectors
from pipeline.embed import load_vectors
from pipeline.errors import UserError
from pipeline.vectors import server
from pipeline.workspace import Workspace
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
        (_npy([["x", "y"], ["z", "w"]]), "in place of numbers"),
        (_npy([[1 + 2j, 1], [1, 1]]), "holds complex128 in place of numbers"),
        (_npy([[True, False], [True, True]]), "holds bool in place of numbers"),
        (_npy([object(), object()]), "Object arrays cannot be loaded"),
        (_npy([[1.0, 2], [np.nan, 1], [np.inf, 1]]), "row 2 holds nan, which is no finite float32 (2 such rows)"),
        (_npy([[1.0, 2], [3, 1], [-np.inf, 1]]), "row 3 holds -inf"),
        (_npy([[1.0, 2], [1e39, 1]]), "row 2 holds 1e+39, which is no finite float32"),
        (_npy([[1.0, 2]]), "holds 1 vector: bring at least 2"),
        (_npy(np.empty((0, 4), np.float32)), "holds 0 vectors: bring at least 2"),
        (_npy(np.zeros((2, 32_769), np.float32)), "32,769 dimensions: Milvus takes at most 32,768"),
        (_npy([1.0, 2, 3]), "numbers of shape (3,): bring one row a vector"),
        (_npy(1.0), "numbers of shape (): bring one row a vector"),
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
            "row 2 of column 'title' is 'red', which is no number",
        ),
        (_bytes(b"id,vector\na,[1 2]\nb,[3 x]\n"), "row 2 of column 'vector' is 'x'"),
        (_bytes(b"id,d0\na,1\nb,2,3\n"), "line 3 has 3 fields where the first row has 2"),
        (_bytes(b""), "holds nothing"),
        (_bytes(b"%PDF-1.4\0\0"), "does not begin as a file of vectors does"),
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
    assert brought.default_metric(workspace, "mine") == "L2"
    assert brought.default_metric(workspace, "session") == "IP"


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
