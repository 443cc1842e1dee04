"""Vectors of one's own: their columns and names are checked, they are read once, and they are indexed."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.core.errors import UserError
from pipeline.search.embedded import server
from pipeline.store.workspace import Workspace
from pipeline.vectors import imported
from pipeline.vectors.embed import load_vectors
from pipeline.vectors.imported import ImportConfig, import_vectors
from tests.conftest import cli_here
from tests.vectors.imports import NUMBERS, import_file, npy


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
        import_vectors(workspace, "mine", ImportConfig(file=str(tmp_path / "v.csv"), columns=columns))
    assert expected in str(caught.value)


def test_an_array_has_no_columns(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", NUMBERS)
    with pytest.raises(UserError, match="has no columns to choose from: leave --columns out"):
        import_vectors(workspace, "mine", ImportConfig(file=str(tmp_path / "v.npy"), columns="vector=x"))


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
    npy(NUMBERS)(tmp_path / "file")
    with pytest.raises(UserError, match="There is no file"):
        import_file(workspace, tmp_path / "none")
    with pytest.raises(UserError) as caught:
        import_file(workspace, tmp_path / "file", name, metric)
    assert expected in str(caught.value)


def test_they_hold_no_sessions_and_say_how_they_are_made(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `vectors import FILE --name mine`"):
        load_vectors(workspace, "mine", "items")
    npy(NUMBERS)(tmp_path / "file")
    import_file(workspace, tmp_path / "file", metric="L2")
    with pytest.raises(UserError, match="'mine' was imported from a file, which holds items and no sessions"):
        load_vectors(workspace, "mine", "sessions")
    assert imported.default_metric(workspace, "mine") == "L2"
    assert imported.default_metric(workspace, "session") == "IP"


def test_the_same_file_is_read_once_and_a_changed_one_again(workspace: Workspace, tmp_path: Path) -> None:
    config = ImportConfig(file=str(tmp_path / "file"))
    npy(NUMBERS)(tmp_path / "file")
    assert not import_vectors(workspace, "mine", config).skipped
    assert import_vectors(workspace, "mine", config).skipped
    npy(NUMBERS + 1)(tmp_path / "file")
    assert not import_vectors(workspace, "mine", config).skipped


@pytest.mark.milvus
def test_the_command_line_indexes_them(workspace: Workspace, tmp_path: Path, points: np.ndarray) -> None:
    """Neighbours by Milvus are those of numpy, under the file's own ids and the metric that was imported."""
    ids = [f"sku-{row * 7}" for row in range(len(points))]
    pl.DataFrame({"id": ids, "vector": points.tolist()}).write_parquet(tmp_path / "own.parquet")
    root = workspace.root
    code, answer = cli_here(
        root, "vectors", "import", str(tmp_path / "own.parquet"), "--name", "mine", "--metric", "l2"
    )
    assert (code, answer["metrics"]["items"]) == (0, len(points))
    assert cli_here(root, "vectors", "list")[1]["vectors"][0]["from"] == "own.parquet"
    assert "6,000 vectors of your own" in [s["figure"] for s in cli_here(root, "status")[1]["stages"]]
    with server.connect(workspace, "test") as engine:
        code, answer = cli_here(root, "index", "build", "--model", "mine", "--index", "HNSW")
        assert code == 0, answer
        assert (answer["metrics"]["metric"], answer["metrics"]["indexed_rows"]) == ("L2", len(points))
        assert answer["metrics"]["recall@10"] > 0.95
        assert cli_here(root, "index", "list")[1]["indexes"][0]["rows"] == len(points)
        collection = answer["metrics"]["collection"]
        found = engine.search(collection, points[:1], 5, {"ef": 200}).ids[0]
        rows = engine.rows(collection, f"id in {found.tolist()}", ["source_id"], 5)
        exact = np.argsort(((points - points[0]) ** 2).sum(1))[:5]
        assert {row["source_id"] for row in rows} == {ids[i] for i in exact}
        code, answer = cli_here(root, "index", "build", "--model", "mine", "--vectors", "sessions")
        assert code == 2
        assert "holds items and no sessions" in answer["error"]
