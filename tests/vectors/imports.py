"""Files of vectors written for the tests, and their import."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from pipeline.store.workspace import Workspace
from pipeline.vectors.imported import ImportConfig, import_vectors

NUMBERS = np.array([[0.5, 1, 2], [3, 4.25, 5], [-6, 7, 8]], np.float32)


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["train"], file["test"] = NUMBERS, NUMBERS[:1]
        file.attrs["distance"] = "angular"


def import_file(workspace: Workspace, path: Path, name: str = "mine", metric: str = "") -> dict[str, object]:
    return dict(import_vectors(workspace, name, ImportConfig(file=str(path), metric=metric)).manifest["metrics"])


def npy(numbers: object) -> Callable[[Path], None]:
    return lambda path: np.save(path.open("wb"), np.asarray(numbers), allow_pickle=True)
