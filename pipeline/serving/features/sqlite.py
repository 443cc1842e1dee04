"""Feast's SQLite online store, read and written without Feast: a row a feature, keyed by bytes that name an entity.

The layout is Feast 0.37's (infra/online_stores/sqlite.py, infra/key_encoding_utils.py): the tests hold both ways of
reading and of writing against Feast's own.
"""

import sqlite3
import struct
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from pipeline.core.arrays import Floats, Ints

_STRING, _INT64 = 2, 4  # feast.protos.feast.types.Value_pb2.ValueType
_MOST = 900  # variables in one statement, which every SQLite takes
_FLOAT_TAG = b"\x35"  # field 6, four bytes: float_val of a Value


def database(folder: Path) -> Path:
    """Give the file of a repository's online store."""
    path = Path(_settings(folder, _stamp(folder))["online_store"]["path"])
    return path if path.is_absolute() else folder / path


def table_name(folder: Path, view: str) -> str:
    """Name the table of a feature view."""
    return f"{_settings(folder, _stamp(folder))['project']}_{view}"


def _stamp(folder: Path) -> int:
    return (folder / "feature_store.yaml").stat().st_mtime_ns


@cache
def _settings(folder: Path, stamp: int) -> dict[str, dict[str, str]]:
    return dict(yaml.safe_load((folder / "feature_store.yaml").read_text()))


def entity_keys(name: str, keys: Ints) -> list[bytes]:
    """Give the bytes that name the entities with these (n,) int64 keys."""
    begin = struct.pack("<I", _STRING) + name.encode() + struct.pack("<II", _INT64, 8)
    packed = np.ascontiguousarray(keys, "<i8").tobytes()
    return [begin + packed[at : at + 8] for at in range(0, len(packed), 8)]


def value_bytes(values: Floats) -> list[bytes]:
    """Give (n,) float32 values as Feast keeps them; NaN is a value that is not there, and empty."""
    packed = np.ascontiguousarray(values, "<f4").tobytes()
    missing = np.isnan(values)
    return [b"" if missing[n] else _FLOAT_TAG + packed[4 * n : 4 * n + 4] for n in range(len(values))]


def read(connection: sqlite3.Connection, table: str, key: str, keys: Ints, features: tuple[str, ...]) -> Floats:
    """Read (n, features) float32 of (n,) keys, each of them once, NaN where a value is not there."""
    column = {name: at for at, name in enumerate(features)}
    row = {name: at for at, name in enumerate(entity_keys(key, keys))}
    found = np.full((len(keys), len(features)), np.nan, np.float32)
    names = list(row)
    for low in range(0, len(names), _MOST):
        some = names[low : low + _MOST]
        asked = (
            f'SELECT entity_key, feature_name, value FROM "{table}" WHERE entity_key IN ({",".join("?" * len(some))})'
        )
        for entity, name, value in connection.execute(asked, some):
            if value and name in column:
                found[row[entity], column[name]] = _number(value)
    return found


def _number(value: bytes) -> float:
    if len(value) == 5 and value[:1] == _FLOAT_TAG:
        return float(struct.unpack("<f", value[1:])[0])
    return float("nan")
