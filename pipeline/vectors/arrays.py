"""Files of vectors: .npy, .npz, Parquet, CSV and ann-benchmarks' HDF5, known by their first bytes."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.clicks.tables import read_text
from pipeline.errors import UserError
from pipeline.names import ID, ITEM_ID, VECTOR

Numbers = npt.NDArray[Any]
Read = tuple[pl.Series, Numbers, str]  # ids, (n, dim) numbers, and the distance that an HDF5 file names
DISTANCE = {"angular": "COSINE", "euclidean": "L2"}  # as ann-benchmarks' files name it
_IDS, _VECTORS = (ID, ITEM_ID, "source_id", "key"), (VECTOR, "vectors", "embedding", "embeddings")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_KINDS = ".npy, .npz, Parquet, CSV and HDF5"


def read_arrays(path: Path) -> Read:
    """Read (ids, numbers, distance) from a file; without an id column, ids are row numbers from 0."""
    try:
        with path.open("rb") as file:
            head = file.read(65_536)
        return _reader(path, head)(path)
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} is damaged or cut short ({_first_line(error)}): write or fetch it again.") from error
    except OSError as error:  # h5py's, too, which have no number
        raise UserError(f"{path} cannot be read ({_first_line(error)}): write or fetch it again.") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _reader(path: Path, head: bytes) -> Callable[[Path], Read]:
    known = {b"\x93NUMPY": _npy, b"PK\x03\x04": _npz, b"PAR1": _parquet, _HDF5: _hdf5}
    found = next((read for magic, read in known.items() if head.startswith(magic)), None)
    if found is None and not head.strip():
        raise UserError(f"{path} holds nothing: bring vectors as {_KINDS}.")
    if found is None and (b"\0" in head or path.suffix in (".npy", ".npz", ".parquet", ".hdf5", ".h5")):
        raise UserError(f"{path} does not begin as a file of vectors does: bring {_KINDS}, undamaged.")
    return found or _csv


def _npy(path: Path) -> Read:
    return _numbered(np.load(path, allow_pickle=False))


def _npz(path: Path) -> Read:
    with np.load(path, allow_pickle=False) as archive:
        if len(archive.files) != 1:
            names = ", ".join(archive.files[:8]) or "none"
            raise UserError(f"{path} holds {len(archive.files)} arrays ({names}): keep the one with the vectors.")
        return _numbered(archive[archive.files[0]])


def _hdf5(path: Path) -> Read:
    """Read the indexed part, `train`, of a file of https://github.com/erikbern/ann-benchmarks."""
    import h5py

    with h5py.File(path) as file:
        if "train" not in file:
            names = ", ".join(list(file)[:8]) or "none"
            raise UserError(f"{path} has no data set 'train' (it has {names}): name the one with the vectors so.")
        numbers = np.asarray(file["train"])
        return *_numbered(numbers)[:2], _distance(file)


def read_queries(path: Path) -> tuple[Numbers | None, str]:
    """Read the queries, `test`, and the distance of a file of ann-benchmarks; None of another file, or without any."""
    with path.open("rb") as file:
        if not file.read(8).startswith(_HDF5):
            return None, ""
    import h5py

    with h5py.File(path) as file:
        return np.asarray(file["test"]) if "test" in file else None, _distance(file)


def _distance(file: Any) -> str:
    name = file.attrs.get("distance", "")
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _numbered(numbers: Numbers) -> Read:
    return pl.Series(ID, np.arange(len(numbers) if numbers.ndim else 0)), numbers, ""


def _parquet(path: Path) -> Read:
    return _columns(path, pl.read_parquet(path))


def _csv(path: Path) -> Read:
    return _columns(path, read_text(path, path.read_bytes().removeprefix(b"\xef\xbb\xbf")))


def _columns(path: Path, frame: pl.DataFrame) -> Read:
    """Take an id column, and a column of lists or else one numeric column a dimension."""
    lower = {name.lower(): name for name in reversed(frame.columns)}
    key = next((lower[name] for name in _IDS if name in lower), None)
    if key is None:
        raise UserError(f"{path} has no id column ({_some(frame.columns)}): name the one with the ids 'id'.")
    rest = frame.drop(key)
    whole = next((lower[name] for name in _VECTORS if name in lower), None)
    lists = [whole] if whole else [c for c in rest.columns if isinstance(rest[c].dtype, pl.List | pl.Array)]
    if len(lists) > 1:
        raise UserError(f"{path} has several columns of lists ({_some(lists)}): name the one to take 'vector'.")
    numbers = _from_lists(path, rest[lists[0]]) if lists else _from_numbers(path, rest)
    return frame[key], numbers, ""


def _from_numbers(path: Path, columns: pl.DataFrame) -> Numbers:
    return np.column_stack([_floats(path, columns[c]) for c in columns.columns]) if columns.width else np.empty((0, 0))


def _from_lists(path: Path, lists: pl.Series) -> Numbers:
    """Stack lists, or text such as '[0.1, 0.2]', to (n, dim); a row of another length is named."""
    if lists.dtype == pl.String:
        lists = lists.str.strip_chars("[]() \n").str.replace_all(r"[,;\s]+", ",").str.split(",")
    if isinstance(lists.dtype, pl.Array):
        lists = lists.arr.to_list()
    if not isinstance(lists.dtype, pl.List):
        raise UserError(f"{path}: column '{lists.name}' holds {lists.dtype} in place of lists of numbers.")
    lengths = lists.list.len().fill_null(0).to_numpy()
    if (other := np.flatnonzero(lengths != lengths[:1])).size:
        raise UserError(
            f"{path}: row {other[0] + 1:,} has {lengths[other[0]]:,} numbers where the first has {lengths[0]:,}: "
            "give all vectors one length."
        )
    dim = int(lengths.max(initial=0))
    return _floats(path, lists.explode(), dim).reshape(len(lengths), dim) if dim else np.empty((len(lengths), 0))


def _floats(path: Path, column: pl.Series, each: int = 1) -> Numbers:
    """Turn a column to float64, a gap to NaN; what is no number is named with its row, `each` entries of it a row."""
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).to_numpy()
    numbers = column.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    if (wrong := (numbers.is_null() & column.is_not_null()).arg_true()).len():
        at = int(wrong[0])
        raise UserError(
            f"{path}: row {at // each + 1:,} of column '{column.name}' is '{str(column[at])[:40]}', which is no "
            "number: mend it, or leave the column out."
        )
    return numbers.to_numpy()


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
