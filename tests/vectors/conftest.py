"""One real server for the tests that only ask; those that kill it start their own."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.core.workspace import Workspace
from pipeline.search.embedded.server import connect
from pipeline.search.milvus.client import MilvusEngine

ROWS, DIM = 6000, 32


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("served") / "ws")


@pytest.fixture(scope="session")
def engine(served: Workspace) -> Iterator[MilvusEngine]:
    with connect(served, "tests") as connected:
        yield connected


@pytest.fixture(scope="session")
def points() -> np.ndarray:
    """Make synthetic item vectors in groups, as a model's are: (6000, 32) float32."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(150, DIM))
    return (centres[random.integers(0, 150, ROWS)] + 0.35 * random.normal(size=(ROWS, DIM))).astype(np.float32)
