"""Vectors of one's own: every format gives the same ones."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from pipeline.core.errors import UserError
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import load_vectors
from tests.vectors.imports import NUMBERS, hdf5, import_file

IDS = ["a", "b", "c"]


def _lists(path: Path, dtype: object) -> None:
    pl.DataFrame({"item_id": IDS, "embedding": pl.Series(NUMBERS.tolist(), dtype=dtype)}).write_parquet(path)  # type: ignore[arg-type]


def _wide(path: Path) -> pl.DataFrame:
    return pl.DataFrame({"id": IDS, **{f"d{i}": NUMBERS[:, i] for i in range(3)}})


def _text(path: Path) -> None:
    path.write_text("id;vector\n" + "".join(f"{i};{v.tolist()}\n" for i, v in zip(IDS, NUMBERS, strict=True)))


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
        (hdf5, ["0", "1", "2"], "COSINE"),
    ],
    ids=["npy", "npz", "list", "array", "columns", "csv columns", "csv text", "hdf5"],
)
def test_every_format_gives_the_same_vectors(
    workspace: Workspace, tmp_path: Path, write: Callable[[Path], None], ids: list[str], metric: str
) -> None:
    write(tmp_path / "file")
    assert import_file(workspace, tmp_path / "file") == {"items": 3, "dim": 3, "metric": metric, "brought": "file"}
    found, vectors = load_vectors(workspace, "mine", "items")
    assert found.to_list() == ids
    assert np.array_equal(vectors, NUMBERS)


@pytest.mark.parametrize("name", ["hamming", "jaccard", np.bytes_("hamming")])
def test_a_distance_that_nothing_here_measures_is_refused(workspace: Workspace, tmp_path: Path, name: object) -> None:
    hdf5(tmp_path / "file")
    with h5py.File(tmp_path / "file", "a") as file:
        file.attrs["distance"] = name
    with pytest.raises(UserError, match="compares by '(hamming|jaccard)', and vectors are compared by IP, L2, COSINE"):
        import_file(workspace, tmp_path / "file")
    assert import_file(workspace, tmp_path / "file", metric="L2")["metric"] == "L2"


def test_the_distance_may_be_written_as_bytes(workspace: Workspace, tmp_path: Path) -> None:
    hdf5(tmp_path / "file")
    with h5py.File(tmp_path / "file", "a") as file:
        file.attrs["distance"] = np.bytes_("euclidean")
    assert import_file(workspace, tmp_path / "file")["metric"] == "L2"
