"""What tests of clicks write: text, Parquet, and a folder of known data."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.clicks import download
from tests.clicks.written import TIMES, Build


@pytest.fixture
def text(tmp_path: Path) -> Build:
    def write(content: str | bytes, name: str = "c.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def parquet(tmp_path: Path) -> Build:
    def write(names: tuple[str, ...] = ("session", "time", "item"), **columns: Any) -> Path:
        given = {"session": pa.array([1, 1, 2]), "time": pa.array(TIMES), "item": pa.array(["a", "b", "a"])} | columns
        pq.write_table(pa.Table.from_arrays([given[name] for name in names], names=list(names)), tmp_path / "c.parquet")
        return tmp_path / "c.parquet"

    return write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of known data of its own."""
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)
    monkeypatch.setenv("CLICK_ROAD_DATA", str(tmp_path / "data"))
    return tmp_path / "data"
