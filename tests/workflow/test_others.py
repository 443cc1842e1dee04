"""The road on real YOOCHOOSE clicks and on made-up ones: recall above popularity, memory under 4 GB."""

from pathlib import Path

import pytest

from tests.conftest import cli, run_pipeline

pytestmark = [pytest.mark.milvus, pytest.mark.merlin, pytest.mark.long]


def _check(root: Path, clicks: str, factor: float) -> None:
    road = run_pipeline(root, "--clicks", clicks)
    models = road.answer["models"]
    assert models["session"]["recall@20"] > factor * models["popularity"]["recall@20"]
    assert road.measured.peak_bytes < 4e9
    assert all(not s["skipped"] for s in road.answer["stages"])
    _, listed = cli(root, "index", "list")
    rows = {row["name"]: row for row in listed["indexes"]}
    hnsw = rows["items-session-hnsw"]
    assert hnsw["note"] == ""
    assert hnsw["indexed_rows"] == hnsw["rows"]


@pytest.mark.realdata
def test_yoochoose(tmp_path: Path, yoochoose: Path) -> None:
    _check(tmp_path / "ws", str(yoochoose), 3)


def test_synthetic(tmp_path: Path) -> None:
    _check(tmp_path / "ws", "synthetic:20000", 5)
