"""Files of vectors: .npy, .npz, Parquet, CSV and ann-benchmarks' HDF5, known by their first bytes."""

import re
import zipfile
import zlib
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.clicks.files.reader import read_text
from pipeline.core.arrays import Numbers
from pipeline.core.columns import ID, ITEM_ID, VECTOR
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean

DISTANCE = {"angular": "COSINE", "euclidean": "L2"}  # as ann-benchmarks' files name it
_IDS, _VECTORS = (ID, ITEM_ID, "source_id", "key"), (VECTOR, "vectors", "embedding", "embeddings")
_NUMBERED = re.compile(r"(.*?)(\d+)")  # 'f0', 'dim_12', '7'
_HDF5 = b"\x89HDF\r\n\x1a\n"
_KINDS = ".npy, .npz, Parquet, CSV and HDF5"


class VectorFile(NamedTuple):
    """What a file of vectors holds."""

    ids: pl.Series
    numbers: Numbers
    """(n, dim)."""
    distance: str = ""
    """As an HDF5 file names it."""
    left_out: tuple[str, ...] = ()
    """Columns that are neither ids nor vectors."""
    queries: Numbers | None = None
    """(q, dim), where they were asked for and the file has them."""


def read_arrays(path: Path, columns: str = "", *, queries: bool = False) -> VectorFile:
    """Read a file; without an id column, ids are row numbers from 0.

    `columns`, of Parquet or CSV, says which are taken: 'id=sku,vector=embedding', 'id=sku,vector=f*' or
    'vector=x,vector=y'. Without it the vector is a column of lists, or the columns f0, f1, … of any one name.
    With `queries`, those of an HDF5 file are read as well.
    """
    try:
        with path.open("rb") as file:
            head = file.read(65_536)
        reader = _reader(path, head)
        if reader in (_parquet, _csv):
            return _columns(path, reader(path), columns)
        if columns:
            raise UserError(f"{path} has no columns to choose from: leave --columns out.")
        return _hdf5(path, queries) if reader is _hdf5 else reader(path)
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} is damaged or cut short ({_first_line(error)}): write or fetch it again.") from error
    except OSError as error:  # h5py's, too, which have no number
        raise UserError(f"{path} cannot be read ({_first_line(error)}): write or fetch it again.") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _reader(path: Path, head: bytes) -> Callable[[Path], Any]:
    known: dict[bytes, Callable[..., Any]] = {b"\x93NUMPY": _npy, b"PK\x03\x04": _npz, b"PAR1": _parquet, _HDF5: _hdf5}
    found = next((read for magic, read in known.items() if head.startswith(magic)), None)
    if found is None and not head.strip():
        raise UserError(f"{path} is empty: give vectors as {_KINDS}.")
    if found is None and (b"\0" in head or path.suffix in (".npy", ".npz", ".parquet", ".hdf5", ".h5")):
        raise UserError(f"{path} is not a readable file of vectors: give {_KINDS}.")
    return found or _csv


def _npy(path: Path) -> VectorFile:
    return _numbered(np.load(path, allow_pickle=False))


def _npz(path: Path) -> VectorFile:
    with np.load(path, allow_pickle=False) as archive:
        if len(archive.files) != 1:
            names = ", ".join(archive.files[:8]) or "none"
            raise UserError(f"{path} holds {len(archive.files)} arrays ({names}): keep the one with the vectors.")
        return _numbered(archive[archive.files[0]])


def _hdf5(path: Path, queries: bool) -> VectorFile:
    """Read `train`, and `test` where the queries are wanted, of https://github.com/erikbern/ann-benchmarks."""
    import h5py

    with h5py.File(path) as file:
        if "train" not in file:
            names = ", ".join(list(file)[:8]) or "none"
            raise UserError(f"{path} has no data set 'train' (it has {names}): name the one with the vectors so.")
        numbers = np.asarray(file["train"])
        asked = np.asarray(file["test"]) if queries and "test" in file else None
        return _numbered(numbers)._replace(distance=_distance(file), queries=asked)


def _distance(file: Any) -> str:
    name = file.attrs.get("distance", "")
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _numbered(numbers: Numbers) -> VectorFile:
    return VectorFile(pl.Series(ID, np.arange(len(numbers) if numbers.ndim else 0)), numbers)


def _parquet(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path)


def _csv(path: Path) -> pl.DataFrame:
    return read_text(path, path.read_bytes().removeprefix(b"\xef\xbb\xbf"))


def _columns(path: Path, frame: pl.DataFrame, columns: str) -> VectorFile:
    """Take an id column, and a column of lists or else one numeric column a dimension."""
    key, chosen = _named(path, frame, columns) if columns else (None, [])
    lower = {name.lower(): name for name in reversed(frame.columns)}
    key = key or next((lower[name] for name in _IDS if name in lower), None)
    if key is None:
        raise UserError(f"{path} has no id column ({_some(frame.columns)}): say which with --columns id=….")
    rest = frame.drop(key)
    taken = chosen or _lists(path, rest) or _dimensions(path, rest)
    whole = len(taken) == 1 and (
        isinstance(frame[taken[0]].dtype, pl.List | pl.Array) or _is_list(taken[0], chosen, rest)
    )
    numbers = _from_lists(path, frame[taken[0]]) if whole else _from_numbers(path, frame.select(taken))
    return VectorFile(frame[key], numbers, "", tuple(name for name in rest.columns if name not in taken))


def _is_list(name: str, chosen: list[str], rest: pl.DataFrame) -> bool:
    """Tell whether a column is read as lists: by its name, or, where it was chosen, as text that is no number."""
    text = rest[name].dtype == pl.String if name in rest.columns else False
    return name.lower() in _VECTORS or bool(chosen and text and rest[name].str.contains(r"[\[\s,;]").any())


def _named(path: Path, frame: pl.DataFrame, columns: str) -> tuple[str | None, list[str]]:
    """Read --columns to the id's column and the vector's; `*` and `?` stand for any characters, or any one."""
    key, chosen = None, []
    for part in columns.split(","):
        what, equals, wanted = (p.strip() for p in part.partition("="))
        if not equals or what not in (ID, VECTOR):
            raise UserError(f"--columns '{columns}': '{part}' is neither id=… nor vector=….")
        exact = [wanted] if wanted in frame.columns else [c for c in frame.columns if fnmatchcase(c, wanted)]
        if not exact or (what == ID and len(exact) > 1):
            raise UserError(
                f"{path} has {len(exact) or 'no'} column{'s' * (len(exact) > 1)} '{wanted}': it has "
                f"{_some(frame.columns)}.{did_you_mean(wanted, frame.columns)}"
            )
        if what == ID:
            key = exact[0]
        else:
            chosen += [name for name in exact if name not in chosen]
    if key in chosen:
        raise UserError(f"--columns '{columns}' takes '{key}' for the id and for the vector: choose one of them.")
    return key, chosen


def _lists(path: Path, rest: pl.DataFrame) -> list[str]:
    """Find the column of lists; none where each dimension is a column."""
    lower = {name.lower(): name for name in reversed(rest.columns)}
    whole = next((lower[name] for name in _VECTORS if name in lower), None)
    lists = [whole] if whole else [c for c in rest.columns if isinstance(rest[c].dtype, pl.List | pl.Array)]
    if len(lists) > 1:
        raise UserError(f"{path} has several columns of lists ({_some(lists)}): say which with --columns vector=….")
    return lists


def _dimensions(path: Path, rest: pl.DataFrame) -> list[str]:
    """Find the columns that one name counts through from 0 or 1, such as f0, f1, f2; one alone is a dimension, too."""
    if rest.width == 1:
        return rest.columns
    counted: dict[str, dict[int, str]] = {}
    for name in rest.columns:
        if found := _NUMBERED.fullmatch(name):
            counted.setdefault(found[1], {})[int(found[2])] = name
    series = [list(dict(sorted(names.items())).values()) for names in counted.values() if _is_whole(names)]
    if len(series) != 1:
        why = "are counted through like f0, f1, …" if not series else "are counted through more than once"
        said = "none of its columns" if not series else "several of its columns"
        raise UserError(
            f"{path} has the columns {_some(rest.columns)} beside its ids, and {said} {why}: say which are the vector "
            "with --columns vector=…, such as vector=f*."
        )
    return series[0]


def _is_whole(names: dict[int, str]) -> bool:
    """Tell whether numbers follow one another from 0 or 1, two of them at least."""
    return len(names) > 1 and sorted(names) in (list(range(len(names))), list(range(1, len(names) + 1)))


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
