"""Sweeps through the command line."""

from pathlib import Path

import pytest

from tests.bench.conftest import Served


@pytest.fixture
def root(served: Served) -> Path:
    """Give a workspace whose server runs already."""
    return served.workspace.root
